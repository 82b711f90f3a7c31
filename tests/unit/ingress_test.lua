-- The name that the ingress gives to the stack, and what the hosts file needs for it.
local fail = require "fail"
local http = require "http"
local ingress = require "ingress"
local lu = require "luaunit"

local tests = {}

local proof = { url = "http://todo.local", address = "10.244.0.1", hosts_line = "10.244.0.1 todo.local" }

function tests.hosts_line_is_added_once()
    lu.assertEquals(ingress.hosts_command("127.0.0.1 localhost\n# 10.244.0.1 todo.local\n", proof),
        { "sh", "-c", "echo '10.244.0.1 todo.local' >> /etc/hosts" })
    lu.assertNil(ingress.hosts_command("127.0.0.1 localhost\n10.244.0.1\tother.local todo.local # mine\n", proof))
    lu.assertNotNil(ingress.hosts_command("10.9.9.9 a.todo.local todo.locally\n", proof))
end

function tests.hosts_line_of_the_user_is_left_alone()
    local ok, problem = pcall(ingress.hosts_command, "192.168.49.2 todo.local\n", proof)
    lu.assertEquals({ ok, fail.kind(problem), problem.hint },
        { false, "conflict", "change that line to: 10.244.0.1 todo.local" })
end

-- A stack whose chart has an Ingress that this controller took, or that none took.
local function context(address, flag)
    return {
        user_values = { ingress = { enabled = true, host = "todo.invalid" } },
        config = { namespace = "shop", url = { path = "/health", expect = "fine" } },
        options = { ingress = flag },
        rendered = { manifests = { { object = { kind = "Ingress", metadata = { name = "web" },
            spec = { ingressClassName = "nginx" } } } } },
        k8s = { get = function(_, _, name, options)
            lu.assertEquals({ name, options.namespace }, { "web", "shop" })
            return { status = { loadBalancer = address and { ingress = { { ip = address } } } or {} } }
        end },
    }
end

function tests.prove_asks_the_controller_for_the_host()
    local asked
    local listener = http.listen("127.0.0.1", 0, function(conn)
        asked = conn:read()
        conn:write("HTTP/1.0 200 OK\r\n\r\nfine")
        conn:close()
    end)
    local address = "127.0.0.1:" .. listener.port
    local found = ingress.prove(context(address))
    listener:close()
    lu.assertEquals({ found.url, found.address, found.resolves }, { "http://todo.invalid", address, false })
    lu.assertStrContains(asked, "Host: todo.invalid\r\n")
    lu.assertStrContains(asked, "GET /health ")
end

function tests.prove_without_controller_is_no_error_unless_it_was_asked_for()
    lu.assertNil(ingress.prove(context(nil)))
    local off = context("127.0.0.1")
    off.user_values.ingress.enabled = false
    lu.assertNil(ingress.prove(off))
end

return tests
