---@meta secret

---Secrets: values that print as "•••" everywhere and are known to the redactor from the moment they exist.
local secret = {}

---A masked value. tostring, print, log, diff give "•••"; equality works between secrets; concatenation gives a secret.
---@class todo.Secret
local Secret = {}
---The text itself, for the one place that needs it.
---@return string
function Secret:reveal() end
---@return boolean
function Secret:empty() end

---@param text string
---@return todo.Secret
function secret.new(text) end

---@param value any
---@return boolean
function secret.is(value) end

---Random bytes from OpenSSL as standard base64.
---@param bytes integer? default 32
---@return todo.Secret
function secret.random(bytes) end

---Everything the program prints passes here: each known secret of six bytes or more, also as base64 and URL-encoded, becomes "•••".
---@param text string
---@return string
function secret.redact(text) end

---Hex SHA-256.
---@param bytes string|todo.Secret
---@return string
function secret.sha256(bytes) end

---Of a secret the result is a secret too, here and in unbase64.
---@param bytes string|todo.Secret
---@return string|todo.Secret
function secret.base64(bytes) end
---@param text string|todo.Secret
---@return string|todo.Secret bytes raises "parse" where it is no base64
function secret.unbase64(text) end

---A store of named secrets in one file with mode 0600 (raises "denied" where others may read it).
---@param path string
---@return todo.SecretStore
function secret.store(path) end
---@class todo.SecretStore
local SecretStore = {}
---@param name string
---@return todo.Secret?
function SecretStore:get(name) end
---Written at once, atomically.
---@param name string
---@param value string|todo.Secret? nil removes
function SecretStore:set(name, value) end
---@return string[]
function SecretStore:names() end
---Forgets the texts; the file stays.
function SecretStore:close() end

return secret
