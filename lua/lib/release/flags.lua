-- Flags that several of helm's commands share. `of` puts a command's list together.
local fs = require "fs"

local flags = {}

local function not_a_number(text)
    return not tonumber(text) and ("strconv.ParseFloat: parsing %q: invalid syntax"):format(text) or nil
end

---@type todo.Flag[] what every command takes
flags.global = {
    { "debug", kind = "bool", help = "say more" },
    { "help", short = "h", kind = "bool", help = "this text" },
    { "burst-limit", kind = "int", default = 100, help = "for command lines of helm; requests are not throttled here" },
    { "kube-apiserver", help = "URL of the API server" },
    { "kube-as-group", kind = "stringArray", help = "group to act as; may be repeated" },
    { "kube-as-user", help = "user to act as" },
    { "kube-ca-file", help = "PEM file of the authorities that the API server's certificate is checked with" },
    { "kube-context", key = "context", help = "context of the kubeconfig to use" },
    { "kube-insecure-skip-tls-verify", kind = "bool", help = "do not check the API server's certificate" },
    { "kube-tls-server-name", help = "name that the API server's certificate is for" },
    { "kube-token", help = "bearer token" },
    { "kubeconfig", help = "kubeconfig file" },
    { "namespace", short = "n", help = "namespace of the release (default: the context's own)" },
    { "qps", kind = "float32", check = not_a_number,
        help = "for command lines of helm; requests are not throttled here" },
    { "registry-config", help = "file of the registries' credentials" },
    { "repository-cache", help = "folder of the repositories' indexes" },
    { "repository-config", help = "file that lists the repositories" },
}

-- Why a program cannot be found (package os/exec of Go); nil where it can.
local function missing_program(name)
    if name == "" then return nil end
    local reason
    if not name:find("/", 1, true) then
        reason = not require "proc".which(name) and "executable file not found in $PATH"
    else
        local stat = fs.stat(name)
        reason = not stat and ("stat %s: no such file or directory"):format(name)
            or stat and stat.type == "dir" and "is a directory"
            or stat and stat.mode & 73 == 0 and "permission denied" -- 0111
    end
    return reason and ('unable to find binary at %s: exec: "%s": %s'):format(name, name, reason) or nil
end

flags.groups = {
    -- How a chart's repository is spoken with.
    connection = {
        { "ca-file", help = "PEM file of the authorities that the repository's certificate is checked with" },
        { "cert-file", help = "PEM file of this machine's certificate for the repository" },
        { "insecure-skip-tls-verify", kind = "bool", help = "do not check the repository's certificate" },
        { "key-file", help = "PEM file of the certificate's key" },
        { "password", help = "password for the repository" },
        { "plain-http", kind = "bool", help = "speak with the registry without TLS" },
        { "username", help = "user name for the repository" },
    },
    keyring = {
        { "keyring", help = "file of the public keys that signatures are checked with "
            .. "(default: pubring.gpg in GnuPG's folder)" },
    },
    verify = { { "verify", kind = "bool", help = "check the chart's signature and digest before it is used" } },
    -- How a chart is found that is no file here.
    chart_source = {
        { "pass-credentials", kind = "bool", help = "send the credentials to every host that the repository names" },
        { "repo", help = "URL of the repository that has the chart" },
        { "version", help = "version of the chart, or a range such as ^2.0.0; default the newest" },
    },
    devel = {
        { "devel", kind = "bool", help = "pre-releases, too: as --version '>0.0.0-0'" },
    },
    values = {
        { "values", short = "f", kind = "strings", key = "values_files",
            help = "values from a YAML file, - for standard input; may be repeated, later ones win" },
        { "set", kind = "stringArray", help = "values as a.b=1,c[0]=d; may be repeated" },
        { "set-file", kind = "stringArray", help = "values whose texts are read from files: a.b=path" },
        { "set-json", kind = "stringArray", help = "values written as JSON: a.b={\"c\":1}" },
        { "set-literal", kind = "stringArray", help = "one value whose text is taken as it is" },
        { "set-string", kind = "stringArray", help = "values that stay texts: a.b=1 gives \"1\"" },
    },
    capabilities = {
        { "kube-version", help = "version of Kubernetes that charts see" },
    },
    dns = {
        { "enable-dns", kind = "bool", help = "let getHostByName ask for addresses; without it, it gives nothing" },
    },
    dependency_update = {
        { "dependency-update", kind = "bool",
            help = "bring the chart's charts/ folder up to date where something is missing" },
    },
    post_renderer = {
        { "post-renderer", check = missing_program,
            help = "program that changes the rendered manifest on its way: standard input to output" },
        { "post-renderer-args", kind = "stringArray", help = "argument of that program; may be repeated" },
    },
    schema = {
        { "skip-schema-validation", kind = "bool", key = "skip_schema",
            help = "do not check values against values.schema.json" },
    },
}

-- Groups that go together.
local sets = {
    provenance = { "verify", "keyring" },
    chart = { "connection", "provenance", "chart_source", "devel", "dependency_update" },
}

---A command's own flags with those of the named groups.
---@param groups string[]
---@param own todo.Flag[]?
---@return todo.Flag[]
function flags.of(groups, own)
    local all = { table.unpack(own or {}) }
    for _, name in ipairs(groups) do
        if sets[name] then all = flags.of(sets[name], all) end
        local group = sets[name] and {} or assert(flags.groups[name], name)
        table.move(group, 1, #group, #all + 1, all)
    end
    return all
end

return flags
