-- helm registry: the credentials with which charts are pushed and pulled.
local chart_registry = require "chart_repo.registry"
local fail = require "fail"
local places = require "chart_repo.places"
local registry = require "registry"
local secret = require "secret"

local function password_of(options)
    if options.password_stdin then
        return secret.new((io.read("a"):gsub("\n$", ""):gsub("\r$", "")))
    end
    if not options.password or options.password == "" then
        fail.raise("usage", "the password is missing: --password-stdin reads it from standard input")
    end
    io.stderr:write("WARNING: others on this machine can see what --password says; --password-stdin keeps it\n")
    return secret.new(options.password)
end

local function login(options, words)
    local host, username = words[1], options.username
    if not username or username == "" then fail.raise("usage", "the user name is missing: --username") end
    local password = password_of(options)
    local client = chart_registry.open(host, "", { username = username, password = password,
        cert_file = options.cert_file, key_file = options.key_file, ca_file = options.ca_file,
        insecure = options.insecure, plain_http = options.plain_http }, places.of(options).registry_config)
    client:check_login()
    registry.keep(places.of(options).registry_config, host, username, password)
    io.stderr:write("Login Succeeded\n")
    return 0
end

local function logout(options, words)
    registry.forget(places.of(options).registry_config, words[1])
    io.stderr:write(("Removing login credentials for %s\n"):format(words[1]))
    return 0
end

return {
    summary = "login to or logout from a registry",
    help = "Keeps the credentials of registries where helm keeps them.",
    commands = {
        login = {
            usage = "[host] [flags]", summary = "login to a registry", arguments = { min = 1 }, run = login,
            flags = {
                { "ca-file", help = "PEM file of the authorities that the registry's certificate is checked with" },
                { "cert-file", help = "PEM file of this machine's certificate for the registry" },
                { "insecure", kind = "bool", help = "do not check the registry's certificate" },
                { "key-file", help = "PEM file of the certificate's key" },
                { "password", short = "p", help = "password or access token" },
                { "password-stdin", kind = "bool", help = "read the password from standard input" },
                { "plain-http", kind = "bool", help = "speak with the registry without TLS" },
                { "username", short = "u", help = "user name" },
            },
        },
        logout = { usage = "[host] [flags]", summary = "logout from a registry", arguments = { min = 1 }, flags = {},
            run = logout },
    },
}
