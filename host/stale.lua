-- Removes build products that make does not know to be stale: archives keep the objects of files that are gone, and objects
-- do not depend on the compiler's options. Run by premake5.lua, which has just read both.

local function read(name)
    local file = io.open(name, "rb")
    if not file then return nil end
    local text = file:read("*a")
    file:close()
    return text
end

local function remove(pattern)
    for _, name in ipairs(os.matchfiles(pattern)) do os.remove(name) end
end

-- True once after each change.
local function changed(stamp, text)
    if read(stamp) == text then return false end
    local file = assert(io.open(stamp, "wb"))
    file:write(text)
    file:close()
    return true
end

local sources = os.matchfiles("host/**.c")
for _, name in ipairs(os.matchfiles("host/**.cc")) do sources[#sources + 1] = name end
table.sort(sources)

os.mkdir("build/gen")
if changed("build/gen/sources.txt", table.concat(sources, "\n")) then remove("build/**.a") end
if changed("build/gen/options.txt", read("premake5.lua") .. (os.getenv "TODO_LUA_LIBCURL" or "")) then
    remove("build/obj/**.o")
    remove("build/**.a")
end
