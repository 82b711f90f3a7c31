-- Module http against listeners of its own and a server of Python's.
local fs = require "fs"
local http = require "http"
local lu = require "luaunit"
local proc = require "proc"
local program = require "program"
local task = require "task"

local tests = {}

local server, base
local socket = os.tmpname()

function tests.setup_all()
    os.remove(socket)
    server = proc.spawn({ "python3", "tests/unit/net/server.py", socket }, { stdin = "pipe", stderr = "inherit" })
    base = "http://127.0.0.1:" .. server:read_line()
end

function tests.teardown_all()
    server:close()
    os.remove(socket)
end

local function listen(handler)
    local listener = http.listen("127.0.0.1", 0, handler)
    return listener, "http://127.0.0.1:" .. listener.port
end

local function failure(fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    return err
end

function tests.get_gives_status_headers_and_body()
    local answer = http.get(base .. "/echo")
    lu.assertEquals(answer.status, 200)
    lu.assertEquals(answer.headers["x-twice"], "two")
    lu.assertEquals(answer.body, "GET /echo none 0\n")
end

function tests.json_option_sends_json_and_its_type()
    local answer = http.request(base .. "/echo", { method = "POST", json = { a = { 1, 2 } } })
    lu.assertEquals(answer.body, 'POST /echo application/json 11\n{"a":[1,2]}')
end

function tests.body_keeps_nul_and_bad_utf8_both_ways()
    lu.assertEquals(http.get(base .. "/nul").body, "a\0b\xff\xfe")
    local answer = http.request(base .. "/echo", { method = "PUT", body = "\0\xff" })
    lu.assertStrContains(answer.body, "2\n\0\xff")
end

function tests.unix_socket_is_reached()
    lu.assertEquals(http.get("http://x/echo", { unix = socket }).body, "GET /echo none 0\n")
end

function tests.error_status_is_a_result()
    lu.assertEquals(http.get(base .. "/missing").status, 404)
end

function tests.redirect_is_followed_unless_told()
    lu.assertEquals(http.get(base .. "/redirect").status, 200)
    lu.assertEquals(http.get(base .. "/redirect", { follow = false }).status, 302)
end

function tests.failures_are_objects_with_kind_and_place()
    lu.assertEquals(failure(http.get, base .. "/silent", { timeout = 0.1 }).kind, "timeout")
    lu.assertEquals(failure(http.get, base .. "/bytes/5000", { max_body = 10 }).kind, "too_large")
    local refused = failure(http.get, "http://127.0.0.1:1/")
    lu.assertEquals(refused.kind, "connect")
    lu.assertStrContains(refused.message, "127.0.0.1:1")
    lu.assertNotNil(refused.hint)
    lu.assertEquals(failure(http.get, "http://[").kind, "usage")
    lu.assertStrContains(tostring(failure(http.get)), "string expected")
    lu.assertStrContains(tostring(failure(http.get, base, { timeout = "soon" })), "timeout")
    lu.assertStrContains(tostring(failure(http.get, base, { headers = { a = "b\nc" } })), "one line")
end

function tests.stream_reads_all_of_a_long_body_slowly()
    local stream <close> = http.stream(base .. "/bytes/3000000")
    lu.assertEquals(stream.status, 200)
    local total = 0
    task.sleep(0.2) -- the answer must wait for the reader
    for bytes in stream.read, stream do total = total + #bytes end
    lu.assertEquals(total, 3000000)
    lu.assertNil(stream:read())
end

function tests.stream_gives_lines()
    local listener <close>, url = listen(function(conn)
        conn:read()
        conn:write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\none\r\n")
        task.sleep(0.01)
        conn:write("tw")
        task.sleep(0.01)
        conn:write("o\n\nlast")
    end)
    local stream <close> = http.stream(url)
    local lines = {}
    for line in stream.read_line, stream do lines[#lines + 1] = line end
    lu.assertEquals(lines, { "one", "two", "", "last" })
    lu.assertNotNil(listener.port)
end

function tests.stream_closed_early_ends_reads()
    local stream = http.stream(base .. "/stall")
    lu.assertEquals(stream:read(), "first")
    local reader = task.spawn(function() return stream:read() end)
    task.sleep(0.01)
    stream:close()
    stream:close()
    lu.assertNil(reader:wait())
    lu.assertEquals(failure(stream.read, stream).kind, "closed")
end

function tests.cut_stream_raises_after_its_bytes()
    local stream <close> = http.stream(base .. "/cut")
    lu.assertEquals(stream:read(), "only this")
    lu.assertEquals(failure(stream.read, stream).kind, "closed")
end

function tests.cancelled_request_closes_its_connection()
    local closed = task.event()
    local listener <close>, url = listen(function(conn)
        conn:read()
        if not conn:read() then closed:set() end
    end)
    local waiting = task.spawn(http.get, url)
    task.sleep(0.02)
    waiting:cancel()
    task.timeout(2, function() closed:wait() end)
    lu.assertNotNil(listener)
end

function tests.many_requests_run_at_once()
    local listener <close>, url = listen(function(conn)
        conn:read()
        task.sleep(0.1)
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    end)
    local fns, started = {}, proc.time()
    for i = 1, 20 do fns[i] = function() return http.get(url).body end end
    for _, body in ipairs(task.all(fns)) do lu.assertEquals(body, "ok") end
    lu.assertTrue(proc.time() - started < 1)
    lu.assertNotNil(listener)
end

local function make_certificate(key, cert)
    proc.run { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost" }
end

-- A server with a certificate of its own; its URL follows, which answers.
local function tls_server(key, cert)
    make_certificate(key, cert)
    local probe = http.bind("127.0.0.1")
    local port = probe.port
    probe:close()
    local process = proc.spawn({ "openssl", "s_server", "-accept", tostring(port), "-key", key, "-cert", cert,
        "-www", "-quiet" }, { stdin = "pipe", stdout = "null", stderr = "null" })
    task.timeout(5, function()
        local ok, conn
        repeat
            task.sleep(0.02)
            ok, conn = pcall(http.connect, "localhost", port)
        until ok
        conn:close() -- it serves one at a time
    end)
    return process, "https://localhost:" .. port .. "/"
end

function tests.tls_trusts_only_the_given_authority()
    local dir <close> = fs.tempdir()
    local key, cert = dir.path .. "/key.pem", dir.path .. "/cert.pem"
    local tls <close>, url = tls_server(key, cert)
    lu.assertEquals(http.get(url, { ca = fs.read(cert) }).status, 200)
    lu.assertEquals(http.get(url, { ca_file = cert }).status, 200)
    lu.assertEquals(http.get(url, { insecure = true }).status, 200)
    local untrusted = failure(http.get, url)
    lu.assertEquals(untrusted.kind, "tls")
    lu.assertStrContains(untrusted.hint, "not trusted here")
    lu.assertEquals(failure(http.get, url:gsub("localhost", "127.0.0.1"), { ca_file = cert }).kind, "tls")
    -- A cluster that is made anew has another authority in the same file.
    make_certificate(key, cert)
    lu.assertEquals(failure(http.get, url, { ca_file = cert }).kind, "tls")
    lu.assertNotNil(tls.pid)
end

-- The linked libcurl knows Debian's place only.
function tests.tls_finds_the_authorities_of_other_distributions()
    local dir <close> = fs.tempdir()
    local cert = dir.path .. "/cert.pem"
    local tls <close>, url = tls_server(dir.path .. "/key.pem", cert)
    local function status(copy)
        return proc.run({ "unshare", "-m", "sh", "-ec", "mount -t tmpfs none /etc/ssl\n" .. copy .. '\nexec "$2" -e "$3"', "sh",
            cert, program.executable, ("print(require('http').get('%s').status)"):format(url) },
            { check = false, env = { SSL_CERT_FILE = false, SSL_CERT_DIR = false } })
    end
    lu.assertEquals(status('cp "$1" /etc/ssl/ca-bundle.pem').stdout, "200\n")
    lu.assertStrContains(status("").stderr, "no secure connection to localhost")
    lu.assertStrContains(status('mkdir /etc/ssl/certs; cp "$1" /etc/ssl/ca-bundle.pem; : >/etc/ssl/certs/ca-certificates.crt').stderr,
        "no secure connection to localhost")
    lu.assertNotNil(tls.pid)
end

-- A company's policy, or the way around a proxy that needs old TLS.
function tests.tls_obeys_the_configuration_of_openssl()
    local dir <close> = fs.tempdir()
    local tls <close>, url = tls_server(dir.path .. "/key.pem", dir.path .. "/cert.pem")
    local function get(level)
        fs.write(dir.path .. "/openssl.cnf", "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"
            .. "[default]\nCipherString = DEFAULT@SECLEVEL=" .. level .. "\n")
        return proc.run({ program.executable, "-e", ("print(require('http').get('%s', { ca_file = '%s/cert.pem' }).status)")
            :format(url, dir.path) }, { check = false, env = { OPENSSL_CONF = dir.path .. "/openssl.cnf" } })
    end
    lu.assertEquals(get(2).stdout, "200\n")
    lu.assertStrContains(get(4).stderr, "key too weak")
    lu.assertNotNil(tls.pid)
end

function tests.escape_keeps_only_unreserved()
    lu.assertEquals(http.escape("aZ9-._~ /é\0"), "aZ9-._~%20%2F%C3%A9%00")
end

function tests.addresses_are_given_in_digits()
    for _, address in ipairs(http.addresses("localhost")) do
        lu.assertTrue(address == "127.0.0.1" or address == "::1", address)
    end
    for _, literal in ipairs { "192.0.2.1", "2001:DB8::1", "fe80::1%eth0" } do
        lu.assertEquals(http.addresses(literal), { literal })
    end
    for _, none in ipairs { "does-not-exist.invalid", "", "127.1", "0x7f000001", "a b", "fe80::1%" } do
        lu.assertNil(http.addresses(none), none)
    end
end

function tests.addresses_are_not_waited_for_after_the_end_of_the_time_or_the_task()
    lu.assertEquals(failure(http.addresses, "does-not-exist.invalid", 0).kind, "timeout")
    local asking = task.spawn(function() return http.addresses("does-not-exist.invalid") end)
    task.sleep(0)
    asking:cancel()
end

function tests.tcp_bytes_go_both_ways_until_the_end()
    local listener <close> = http.listen("127.0.0.1", 0, function(conn)
        for bytes in conn.read, conn do conn:write(bytes) end
        conn:write("bye")
    end)
    local conn <close> = http.connect("localhost", listener.port)
    local sent = ("\0abc\xff"):rep(200000)
    local got = {}
    task.all {
        function()
            conn:write(sent)
            conn:shutdown()
        end,
        function() for bytes in conn.read, conn do got[#got + 1] = bytes end end,
    }
    lu.assertEquals(table.concat(got) == sent .. "bye", true)
end

function tests.tcp_failures_name_the_address()
    local refused = failure(http.connect, "127.0.0.1", 1)
    lu.assertEquals(refused.kind, "connect")
    lu.assertStrContains(refused.message, "127.0.0.1:1")
    lu.assertEquals(failure(http.connect, "does-not-exist.invalid", 80).kind, "dns")
    local listener <close> = http.bind("127.0.0.1")
    lu.assertEquals(failure(http.bind, "127.0.0.1", listener.port).kind, "exists")
end

function tests.tcp_closed_handles_say_so()
    local listener = http.bind("127.0.0.1")
    local accepting = task.spawn(function() return listener:accept() end)
    task.sleep(0.01)
    listener:close()
    listener:close()
    lu.assertNil(accepting:wait())
    local other <close> = http.bind("127.0.0.1")
    local conn = http.connect("127.0.0.1", other.port)
    conn:close()
    lu.assertEquals(failure(conn.read, conn).kind, "closed")
    lu.assertEquals(failure(conn.write, conn, "x").kind, "closed")
end

-- A connection that was kept leads to the server that took it, even when another one has the port by now.
function tests.fresh_request_opens_a_connection_of_its_own()
    local connections = 0
    local listener <close> = http.listen("127.0.0.1", 0, function(conn)
        connections = connections + 1
        while conn:read() do conn:write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") end
    end)
    local url = ("http://127.0.0.1:%d/"):format(listener.port)
    for _ = 1, 3 do http.get(url) end
    lu.assertEquals(connections, 1)
    for _ = 1, 3 do http.get(url, { fresh = true }) end
    lu.assertEquals(connections, 4)
end

return tests
