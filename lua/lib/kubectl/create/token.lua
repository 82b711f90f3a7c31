-- kube create token: a token of a service account, which the server makes for some time.
local json = require "json"
local kube_errors = require "kubectl.errors"
local object_printer = require "kubectl.printer"
local term = require "term"

local flags = {
    { "audience", kind = "stringArray", help = "whom the token is for; may be repeated (default: the API server)" },
    { "duration", kind = "duration", default = 0, help = "how long it is valid (0: as the server likes)" },
    { "bound-object-kind", default = "", help = "Pod, Secret or Node with which the token ends" },
    { "bound-object-name", default = "", help = "the name of that object" },
    { "bound-object-uid", default = "", help = "the UID of that object" },
}
table.move(object_printer.flags, 1, #object_printer.flags, #flags + 1, flags)

local function check(options)
    local kind, name = options.bound_object_kind, options.bound_object_name
    if options.duration < 0 then kube_errors.raise("--duration must be greater than or equal to 0") end
    if options.duration % 1 ~= 0 then
        kube_errors.raise("--duration cannot be expressed in units less than seconds")
    end
    for _, audience in ipairs(options.audience or {}) do
        if audience == "" then kube_errors.raise("--audience must not be an empty string") end
    end
    if kind == "" then
        for _, part in ipairs { "name", "uid" } do
            if options["bound_object_" .. part] ~= "" then
                kube_errors.raise(("--bound-object-%s can only be set if --bound-object-kind is provided"):format(part))
            end
        end
    elseif kind ~= "Node" and kind ~= "Pod" and kind ~= "Secret" then
        kube_errors.raise("supported --bound-object-kind values are Node, Pod, Secret")
    elseif name == "" then
        kube_errors.raise("--bound-object-name is required if --bound-object-kind is provided")
    end
end

local function run(session, options, words)
    if #words ~= 1 then
        kube_errors.raise(("exactly one NAME is required, got %d"):format(#words), "usage: NAME [flags]")
    end
    check(options)
    local spec = { audiences = options.audience and json.list(options.audience) or json.null }
    if options.duration > 0 then spec.expirationSeconds = math.tointeger(options.duration) end
    if options.bound_object_kind ~= "" then
        spec.boundObjectRef = { kind = options.bound_object_kind, apiVersion = "v1", name = options.bound_object_name,
            uid = options.bound_object_uid ~= "" and options.bound_object_uid or nil }
    end
    local ok, answer = pcall(session.write, session, "POST", session:resource("serviceaccounts"), session.namespace,
        words[1], { subresource = "token", body = { kind = "TokenRequest", apiVersion = "authentication.k8s.io/v1",
            spec = spec } })
    if not ok and answer.status and answer.status >= 400 then
        kube_errors.raise("failed to create token: " .. answer.message)
    elseif not ok then
        error(answer, 0)
    end
    answer.apiVersion, answer.kind = "authentication.k8s.io/v1", "TokenRequest"
    if object_printer.wanted(options) then
        io.write(object_printer.new(options)(answer))
    else
        io.write(answer.status.token, term.is_tty("stdout") and "\n" or "")
    end
end

return { summary = "ask for a token of a service account", usage = "SERVICE_ACCOUNT_NAME [flags]", flags = flags,
    run = run }
