-- Compiles scripts for host/embed.lua: standard input has lines "FILE NAME"; FILE.code gets the bytecode, with what
-- tracebacks need. A script with a syntax error gets none: the program tells when it is run.
for line in io.lines() do
    local path, name = line:match("^(%S+) (.+)$")
    local file = assert(io.open(path, "rb"))
    local chunk = load(file:read("a"), "@" .. name, "t")
    file:close()
    if chunk then
        local out = assert(io.open(path .. ".code", "wb"))
        assert(out:write(string.dump(chunk)))
        assert(out:close())
    end
end
