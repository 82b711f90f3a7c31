---@meta yaml

---YAML on libyaml. Errors are of kind "parse" with `name:line:column` in the message.
local yaml = {}

---@class todo.YamlOptions
---@field name string? file name for messages
---@field core boolean? YAML 1.2 core schema (yes/no/on/off stay strings); default: as Kubernetes and helm read YAML (1.1 booleans)

---First document; merge keys and anchors resolved; maps remember key order; null is `json.null`; empty text gives nil.
---@param text string
---@param options todo.YamlOptions?
---@return any
function yaml.decode(text, options) end

---@param text string
---@param options todo.YamlOptions?
---@return any[] documents empty ones left out
function yaml.decode_all(text, options) end

---@class todo.YamlEncodeOptions
---@field sort boolean? all keys sorted, as Go's encoders do; default: order remembered from decoding, then new keys sorted
---@field secrets "reveal"|"mask"? default: a secret in the value raises

---Block style as sigs.k8s.io/yaml writes it; ends with a newline.
---@param value any
---@param options todo.YamlEncodeOptions?
---@return string
function yaml.encode(value, options) end

---@param values any[]
---@param options todo.YamlEncodeOptions?
---@return string
function yaml.encode_all(values, options) end

return yaml
