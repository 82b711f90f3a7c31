-- What helm's commands on releases share: the connection that flags and environment name, and how helm prints results.
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local k8s = require "k8s"
local log = require "log"
local pflag = require "pflag"
local proc = require "proc"
local project = require "project"
local records = require "release.records"
local secret = require "secret"
local term = require "term"
local yaml = require "yaml"

local session = {}

-- A flag's value, else that of helm's variable; nil where neither says anything.
local function setting(options, key, variable)
    local flag = options[key]
    if flag ~= nil and flag ~= "" then return flag end
    local value = os.getenv(variable)
    return value ~= "" and value or nil
end

local function groups_of(options)
    if options.kube_as_group then return options.kube_as_group end
    local list = {}
    for name in (os.getenv("HELM_KUBEASGROUPS") or ""):gmatch("[^,]+") do list[#list + 1] = name end
    return #list > 0 and list or nil
end

---How to connect, from flags and environment.
---@param options table of the command line
---@return todo.K8sConnect
function session.connection(options)
    local ca_file = setting(options, "kube_ca_file", "HELM_KUBECAFILE")
    local ca = ca_file and (fs.read(ca_file) or fail.raise("not_found",
        ("unable to read certificate-authority %s: no such file or directory"):format(ca_file)))
    local token = setting(options, "kube_token", "HELM_KUBETOKEN")
    local insecure = options.kube_insecure_skip_tls_verify
        or pflag.truth(os.getenv("HELM_KUBEINSECURE_SKIP_TLS_VERIFY")) or nil
    return {
        kubeconfig = options.kubeconfig, context = setting(options, "context", "HELM_KUBECONTEXT"),
        namespace = setting(options, "namespace", "HELM_NAMESPACE"),
        server = setting(options, "kube_apiserver", "HELM_KUBEAPISERVER"), ca = ca, insecure = insecure,
        server_name = setting(options, "kube_tls_server_name", "HELM_KUBETLS_SERVER_NAME"),
        token = token and secret.new(token), as = setting(options, "kube_as_user", "HELM_KUBEASUSER"),
        as_groups = groups_of(options),
    }
end

---@param options table of the command line
---@param name string? of a release
---@return todo.ReleaseEnv
function session.open(options, name)
    records.driver() -- an unknown one is told before anything else
    local ok, client = pcall(function() return k8s.connect(session.connection(options)) end)
    if not ok then
        fail.raise(fail.kind(client), "Kubernetes cluster unreachable: " .. fail.message(client),
            fail.field(client, "hint"), { cause = client })
    end
    local env = {
        client = client, name = name, namespace = client.namespace, log = log, state_dir = project.state_dir(),
        hook_output = function(text) io.stderr:write(text) end,
    }
    if term.is_tty("stderr") then env.board = require "board".new() end
    return env
end

---Checks a release's name as helm does.
---@param name string
---@param format string helm's words, %s for the name
function session.check_name(name, format)
    local valid = #name <= 53 and #name > 0
    for part in (name .. "."):gmatch("([^.]*)%.") do
        valid = valid and part:find("^[a-z0-9]") and part:find("[a-z0-9]$") and not part:find("[^a-z0-9-]")
    end
    if not valid then fail.raise("usage", format:format(name)) end
end

---The flag that all commands with several outputs have.
---@return todo.Flag
function session.output_flag()
    local formats = { table = true, json = true, yaml = true }
    return { "output", short = "o", kind = "format", default = "table", help = "table, json or yaml",
        check = function(text) return not formats[text] and "invalid format type" or nil end }
end

-- What is no output of todo-lua's own, but what a release holds, goes out as it is.
local function write(text) io.write(text) end
session.write = write

---JSON as Go's encoder writes it: one line, characters of HTML escaped.
---@param value any
---@param sorted boolean? keys sorted, as Go's maps are; default: in the order of helm's structs
---@param indent string? on lines of their own, this deep
---@return string
function session.json(value, sorted, indent)
    local text = json.encode(value, { secrets = "reveal", sort = sorted, indent = indent })
    return (text:gsub("[<>&]", { ["<"] = "\\u003c", [">"] = "\\u003e", ["&"] = "\\u0026" })
        :gsub("\u{2028}", "\\u2028"):gsub("\u{2029}", "\\u2029")) .. "\n"
end

---@param value any
---@return string
function session.yaml(value) return yaml.encode(value, { sort = true, secrets = "reveal" }) end

---A map whose keys are written in this order.
---@param keys string[]
---@param values table<string, any>
---@return table
function session.ordered(keys, values)
    local parts = {}
    for index, key in ipairs(keys) do parts[index] = json.encode(key) .. ":0" end
    local map = json.decode("{" .. table.concat(parts, ",") .. "}")
    for _, key in ipairs(keys) do map[key] = values[key] end
    return map
end

-- A cell that is at most so wide, "..." at its end where it is cut.
local function cut(cell, most)
    if term.width(cell) <= most then return cell end
    local parts, width = {}, 0
    for _, code in utf8.codes(cell) do
        local character = utf8.char(code)
        parts[#parts + 1] = character
        if width + term.width(character) >= most - 3 then break end
        width = width + term.width(character)
    end
    return table.concat(parts) .. "..."
end

---A table as helm prints it (gosuri/uitable): cells padded, a tab between them.
---@param rows string[][]
---@param most integer? columns are at most so wide
---@return string
function session.table(rows, most)
    local widths, lines = {}, {}
    for _, row in ipairs(rows) do
        for column, cell in ipairs(most and most > 0 and row or {}) do row[column] = cut(cell, most) end
        for column, cell in ipairs(row) do
            for line in (cell .. "\n"):gmatch("(.-)\n") do
                widths[column] = math.max(widths[column] or 0, term.width(line))
            end
        end
    end
    for _, row in ipairs(rows) do
        local split, height = {}, 1
        for column, cell in ipairs(row) do
            split[column] = {}
            for line in (cell .. "\n"):gmatch("(.-)\n") do table.insert(split[column], line) end
            height = math.max(height, #split[column])
        end
        for line = 1, height do
            local cells = {}
            for column = 1, #row do
                local text = split[column][line] or ""
                cells[column] = text .. (" "):rep(widths[column] - term.width(text))
            end
            lines[#lines + 1] = table.concat(cells, "\t")
        end
    end
    return table.concat(lines, "\n") .. "\n"
end

---Writes a result in the form that -o names.
---@param options table
---@param value any what json and yaml print
---@param table_text fun(): string
---@param sorted boolean? see session.json
function session.print(options, value, table_text, sorted)
    if options.output == "json" then return write(session.json(value, sorted)) end
    if options.output == "yaml" then return write(session.yaml(value)) end
    write(table_text())
end

---Number of revisions to keep: the flag, else the environment, else helm's own.
---@return integer
function session.default_history()
    return math.tointeger(proc.env("HELM_MAX_HISTORY") or "") or 10
end

return session
