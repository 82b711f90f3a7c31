-- Values that the command line names by URL (-f, --set-file): fetched into files, which stand for them.
local fail = require "fail"
local fs = require "fs"

local remote_values = {}

local URL = "^https?://"

---Whether any of the flags names a URL.
---@param options table flags of the group values
---@return boolean
function remote_values.are_in(options)
    for _, path in ipairs(options.values_files or {}) do
        if path:find(URL) then return true end
    end
    return table.concat(options.set_file or {}, ","):find("=https?://") ~= nil
end

---Puts paths of files in the place of URLs.
---@async
---@param options table flags of the group values
---@return todo.TempDir folder of the files; to be closed when they are read
---@return fun(text: string): string named gives a message its URLs back
function remote_values.fetch(options)
    local folder, urls = fs.tempdir(), {}
    local function local_path(url)
        local path = ("%s/%d"):format(folder.path, #urls + 1)
        fs.write(path, require "chart_repo.fetch".get(url, {}), 384) -- 0600
        urls[#urls + 1] = { path = path, url = url }
        return path
    end
    for place, path in ipairs(options.values_files or {}) do
        if path:find(URL) then options.values_files[place] = local_path(path) end
    end
    for place, text in ipairs(options.set_file or {}) do
        for url in text:gmatch("=(https?://[^,]*)") do
            local ok, path = pcall(local_path, url)
            if not ok then
                fail.raise(fail.kind(path), "failed parsing --set-file data: " .. fail.message(path),
                    fail.field(path, "hint"), { cause = path })
            end
            local from, to = text:find("=" .. url, 1, true)
            text = text:sub(1, from) .. path .. text:sub(to + 1)
        end
        options.set_file[place] = text
    end
    return folder, function(message)
        for _, one in ipairs(urls) do
            message = message:gsub((one.path:gsub("%p", "%%%0")), (one.url:gsub("%%", "%%%%")))
        end
        return message
    end
end

return remote_values
