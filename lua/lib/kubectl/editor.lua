-- Text in the user's editor, again and again until it is accepted: what kube edit, create --edit and apply
-- edit-last-applied do.
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local kube_errors = require "kubectl.errors"
local proc = require "proc"
local tables = require "tables"
local yaml = require "yaml"

local editor = {}

---@type todo.Flag[]
editor.flags = {
    { "output", short = "o", help = "what is edited: yaml (the default) or json" },
}

-- The editor has the terminal for itself. Its words are the shell's, as git and kubectl take them.
local function launch(path)
    local program = proc.env("KUBE_EDITOR")
    if not program or program == "" then program = proc.env("EDITOR") end
    if not program or program == "" then program = "vi" end
    local shell = proc.env("SHELL")
    local result = proc.run({ shell and shell ~= "" and shell or "/bin/sh", "-c", program .. ' "$0"', path },
        { stdin = "inherit", stdout = "inherit", stderr = "inherit", check = false })
    if result.status == 0 then return end
    kube_errors.raise(("there was a problem with the editor %q: exit status %d"):format(program, result.status),
        "KUBE_EDITOR or EDITOR names another one")
end

local function without_comments(text)
    local lines = {}
    for line in (text .. "\n"):gmatch("(.-)\r?\n") do
        if not line:find("^%s*#") then lines[#lines + 1] = line end
    end
    return table.concat(lines, "\n"):gsub("\n+$", "") .. "\n"
end

local function commented(reasons, head)
    local lines = { head }
    for _, reason in ipairs(reasons) do
        lines[#lines + 1] = "# " .. reason.head:gsub("\n", "\n# ") .. (reason.other and ":" or "")
        for _, other in ipairs(reason.other or {}) do lines[#lines + 1] = "# * " .. other:gsub("\n", "\n# ") end
        lines[#lines + 1] = "#"
    end
    return table.concat(lines, "\n") .. "\n"
end

-- What people typed is never lost: it stays in a file that only they can read.
local function preserve(text, format)
    local path = fs.join(proc.env("TMPDIR") or "/tmp", ("todo-lua-edit-%d.%s"):format(proc.pid(), format))
    fs.write(path, text, 0x180)
    io.stderr:write(("A copy of your changes has been stored to %q\n"):format(path))
    return path
end

local function decode(text)
    local objects = {}
    for _, document in ipairs(yaml.decode_all(text, { name = "edited file" })) do
        if type(document) == "table" and type(document.items) == "table" then
            table.move(document.items, 1, #document.items, #objects + 1, objects)
        elseif document ~= json.null then
            objects[#objects + 1] = document
        end
    end
    for _, object in ipairs(objects) do
        if type(object) ~= "table" or not object.kind or not object.apiVersion then
            kube_errors.raise("each object needs apiVersion and kind")
        end
    end
    return objects
end

local function same(a, b)
    local ok, left = pcall(yaml.decode_all, a)
    local fine, right = pcall(yaml.decode_all, b)
    if ok and fine then return tables.equal(left, right) end
    return without_comments(a) == without_comments(b)
end

---@class todo.EditReason
---@field head string
---@field other string[]?

---@class todo.EditOutcome
---@field reasons todo.EditReason[] for which the text is opened again
---@field retry boolean? the server refused what may be sent again later
---@field missing boolean? the object is gone

---@class todo.Edit
---@field objects table[]
---@field format "yaml"|"json"
---@field head string comment at the top
---@field accept async fun(edited: table[]): todo.EditOutcome sends what was edited

local function text_of(edit)
    local whole = #edit.objects == 1 and edit.objects[1]
        or { apiVersion = "v1", kind = "List", metadata = {}, items = json.list(edit.objects) }
    if edit.format == "json" then return json.encode(whole, { indent = "    ", sort = true }) .. "\n" end
    return yaml.encode(whole, { sort = true })
end

-- One round: the text that the editor left, or nil where the edit ends here.
local function round(format, path, text, original, before)
    fs.write(path, text, 0x180)
    launch(path)
    local edited = fs.read(path) or ""
    if before and same(before, edited) then
        preserve(edited, format)
        kube_errors.raise("Edit cancelled, no valid changes were saved.")
    end
    if same(original, edited) then
        io.stderr:write("Edit cancelled, no changes made.\n")
    elseif not without_comments(edited):find("%S") then
        io.stderr:write("Edit cancelled, saved file was empty.\n")
    else
        return edited
    end
end

-- What the server says of the edited objects; a text that is none is a reason to open it again.
local function try(edit, edited)
    local ok, objects = pcall(decode, edited)
    if not ok then
        return { reasons = { { head = "The edited file had a syntax error: " .. fail.message(objects) } } }
    end
    local done, outcome = pcall(edit.accept, objects)
    if done then return outcome end
    preserve(edited, edit.format)
    error(outcome, 0)
end

---Opens the objects in the editor until they are accepted or given up.
---@async
---@param edit todo.Edit
---@return integer status
function editor.run(edit)
    local dir <close> = fs.tempdir()
    local path = fs.join(dir.path, "edit." .. edit.format)
    local header = edit.format == "yaml" and edit.head or nil
    local original = text_of(edit)
    local text, before = original, nil
    local reasons = {}
    while true do
        local shown = (header and commented(reasons, header) or "") .. text
        local edited = round(edit.format, path, shown, original, before)
        if not edited then return 0 end
        local outcome = try(edit, edited)
        if outcome.retry then
            local kept = preserve(edited, edit.format)
            io.stderr:write(("You can run `todo-lua kube replace -f %s` to try this update again.\n"):format(kept))
            return 1
        elseif outcome.missing then
            preserve(edited, edit.format)
            return 1
        elseif #outcome.reasons == 0 then
            return 0
        end
        reasons, text, before = outcome.reasons, without_comments(edited), edited
    end
end

editor.HEAD = "# Edit the object below. Lines that begin with \"#\" are ignored; an empty file ends the edit.\n"
    .. "# What the server refuses is opened again, with its reasons.\n#"

---The patch from one object to its edited form; raises where it is another object now.
---@param before table
---@param after table
---@return table? patch nil where they are the same
---@return string content_type
function editor.patch(before, after)
    for _, field in ipairs { "apiVersion", "kind" } do
        if before[field] ~= after[field] then
            kube_errors.raise("At least one of apiVersion, kind and name was changed")
        end
    end
    if before.metadata.name ~= (after.metadata or {}).name then
        kube_errors.raise("At least one of apiVersion, kind and name was changed",
            "an object cannot be renamed: create another one")
    end
    return chart.patch(before, after, before)
end

return editor
