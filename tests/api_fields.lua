-- Writes lua/lib/kubernetes_fields.txt anew: the fields of Kubernetes' kinds, compiled from the OpenAPI documents in
-- the source of the version that go.mod pins. todo-lua tests/api_fields.lua
local api_schema = require "api_schema"
local fs = require "fs"
local json = require "json"
local pins = require "cluster.standalone.pins"
local proc = require "proc"
local program = require "program"

local root = program.project
local module = fs.join(root, pins.kubernetes_set(pins.kubernetes).folder)
local version = fs.read(fs.join(module, "go.mod")):match("k8s.io/kubernetes (v%S+)")
local found = json.decode(proc.run({ "go", "mod", "download", "-json", "k8s.io/kubernetes@" .. version }, { cwd = module }).stdout)
local folder = fs.join(found.Dir, "api/openapi-spec/v3")
local documents = {}
for _, name in ipairs(fs.list(folder)) do
    if name:find("__v%w+_openapi%.json$") then documents[#documents + 1] = json.decode(fs.read(fs.join(folder, name))) end
end
local text = api_schema.compile(documents, version)
fs.write(fs.join(root, "lua/lib/kubernetes_fields.txt"), text)
print(("Kubernetes %s: %d documents, %d bytes"):format(version, #documents, #text))
