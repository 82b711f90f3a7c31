-- What a chart depends on, brought into its charts/ folder (helm.sh/helm/v3/pkg/downloader/manager.go and
-- internal/resolver).
local address = require "chart_repo.address"
local chart = require "chart"
local chart_lock = require "chart_repo.chart_lock"
local download = require "chart_repo.download"
local fail = require "fail"
local fs = require "fs"
local index = require "chart_repo.index"
local log = require "log"
local oci = require "chart_repo.oci"
local places = require "chart_repo.places"
local proc = require "proc"
local provenance = require "chart_repo.provenance"
local repositories = require "chart_repo.repositories"
local secret = require "secret"
local tables = require "tables"
local task = require "task"

local dependencies = {}

local UNMANAGED = "helm-manager-" -- as helm calls the indexes of repositories that are in no list

---@class todo.Dependency
---@field name string
---@field version string
---@field repository string

-- ---- the chart and its lock ----

local function load_folder(path)
    local stat = fs.stat(path)
    if not stat then
        fail.raise("not_found", ("could not find %s: stat %s: no such file or directory"):format(path, path))
    end
    if stat.type ~= "dir" then fail.raise("usage", "only unpacked charts can be updated") end
    return chart.load(path)
end

-- The chart's own list, each entry to be changed freely.
local function requests_of(c)
    return tables.map(c.metadata.dependencies or {}, function(one)
        local copy = {}
        for key, value in pairs(one) do copy[key] = value end
        copy.repository, copy.version = copy.repository or "", copy.version or ""
        return copy
    end)
end

local function local_folder(repository, folder)
    local path = repository:gsub("^file://", "")
    if path:sub(1, 1) ~= "/" then path = folder .. "/" .. path end
    path = address.clean(path)
    if not fs.exists(path) then fail.raise("not_found", ("directory %s not found"):format(path)) end
    return path
end

local function is_local(repository) return repository:find("^file://") ~= nil end

-- ---- repositories ----

local alias_note = '\nA repository is a URL, or a name of the list with @ before it: "@example" instead of "example".'

local function raise_unknown(missing)
    local plain = false
    for _, name in ipairs(missing) do
        plain = plain or not (name:find("//", 1, true) or name:find("^@") or name:find("^alias:"))
    end
    fail.raise("not_found", ("no repository definition for %s. Please add them via 'helm repo add'"):format(
        table.concat(missing, ", ")) .. (plain and alias_note or ""))
end

-- Names of the repositories by the dependency's name; aliases become URLs in the requests.
local function resolve_names(requests, folder, list)
    local names, missing = {}, {}
    for _, one in ipairs(requests) do
        local repository = one.repository
        if is_local(repository) then
            local_folder(repository, folder)
            names[one.name] = repository
        elseif oci.is(repository) then
            names[one.name] = repository
        elseif repository ~= "" then
            local alias, found = repository:match("^@(.*)$") or repository:match("^alias:(.*)$"), false
            for _, entry in ipairs(list) do
                if entry.name == alias or address.equal(entry.url, repository) then
                    one.repository = entry.name == alias and entry.url or repository
                    names[one.name], found = entry.name, true
                    break
                end
            end
            if not found and not repository:find("^%a[%w+.-]*:") and repository:sub(1, 1) ~= "/" then
                missing[#missing + 1] = repository
            end
        end
    end
    if #missing > 0 then raise_unknown(missing) end
    return names
end

local function refresh_all(entries, cache, say)
    for _, entry in ipairs(entries) do repositories.check_scheme(entry.url) end
    task.all(tables.map(entries, function(entry)
        return function()
            local ok, problem = pcall(repositories.refresh, entry, cache)
            local unmanaged = entry.name:find(UNMANAGED, 1, true) == 1
            local label = ("%q"):format(unmanaged and entry.url or entry.name)
            if ok then
                say(("...Successfully got an update from the %s chart repository\n"):format(label))
            else
                if fail.kind(problem) == "cancelled" then error(problem, 0) end
                say(("...Unable to get an update from the %s chart repository%s:\n\t%s\n"):format(label,
                    unmanaged and "" or (" (%s)"):format(entry.url), fail.message(problem)))
            end
        end
    end))
end

local function refresh_listed(list, cache, say)
    if #list == 0 then return end
    say("Hang tight while we grab the latest from your chart repositories...\n")
    refresh_all(list, cache, say)
    say("Update Complete. ⎈Happy Helming!⎈\n")
end

-- Repositories that are in no list get an index in the cache, too, under a name made of their URL.
local function add_unmanaged(requests, names, job)
    local entries = {}
    for _, one in ipairs(requests) do
        if one.repository ~= "" and not names[one.name] then
            local name = UNMANAGED .. secret.sha256(one.repository)
            names[one.name] = name
            entries[#entries + 1] = repositories.entry { name = name, url = one.repository }
        end
    end
    if #entries > 0 and not job.skip_refresh then
        job.say("Getting updates for unmanaged Helm repositories...\n")
        refresh_all(entries, job.where.repository_cache, job.say)
    end
end

-- ---- versions ----

local function check_range(one, format)
    local ok, problem = pcall(chart.satisfies, one.version, "0.0.0")
    if not ok then fail.raise("semver", format:format(one.name) .. fail.message(problem)) end
end

local function first_matching(range, versions)
    for _, version in ipairs(versions) do
        if chart.satisfies(range, version) then return version end
    end
end

local function candidates(one, name, job)
    if oci.is(one.repository) then
        if chart.compare_versions(one.version, one.version) then return { one.version } end
        local ok, versions = pcall(oci.versions, one.repository .. "/" .. one.name, job.access, job.where)
        if ok then return versions end
        fail.raise(fail.kind(versions), ("could not retrieve list of tags for repository %s: %s"):format(one.repository,
            fail.message(versions)))
    end
    local ok, found = pcall(index.load, places.index(job.where.repository_cache, name))
    if not ok then
        fail.raise(fail.kind(found), ("no cached repository for %s found. (try 'helm repo update'): %s"):format(name,
            fail.message(found)))
    end
    local versions = found.entries[one.name]
    if not versions then
        fail.raise("not_found", ("%s chart not found in repo %s"):format(one.name, one.repository))
    end
    return tables.map(tables.filter(versions, function(entry) return #entry.urls > 0 end), function(entry)
        return entry.version
    end)
end

-- The version that a request is locked to; nil where there is none.
local function locked_version(one, names, job)
    check_range(one, 'dependency "%s" has an invalid version/constraint format: ')
    if one.repository == "" then
        local_folder("charts/" .. one.name, job.folder)
        return one.version
    end
    if is_local(one.repository) then
        return first_matching(one.version, { chart.load(local_folder(one.repository, job.folder)).version })
    end
    local version = first_matching(one.version, candidates(one, names[one.name], job))
    -- A registry that has no fitting tag is asked for the range itself, as helm does.
    return version or (oci.is(one.repository) and one.version) or nil
end

local function resolve(requests, names, job)
    local locked, missing = {}, {}
    for _, one in ipairs(requests) do
        local version = locked_version(one, names, job)
        if version then
            locked[#locked + 1] = { name = one.name, repository = one.repository, version = version }
        else
            missing[#missing + 1] = ('"%s" (repository "%s", version "%s")'):format(one.name, one.repository,
                one.version)
        end
    end
    if #missing == 0 then return locked end
    fail.raise("not_found", ("can't get a valid version for %d subchart(s): %s. Make sure a matching chart version "
        .. "exists in the repo, or change the version constraint in Chart.yaml"):format(#missing,
            table.concat(missing, ", ")))
end

-- ---- archives ----

-- helm says of some faults only once what they are: `unsaid`.
local function check_unpacked(one, charts)
    local path = fs.join(charts, one.name)
    local ok, c = pcall(chart.load, path)
    if not ok then
        fail.raise("chart", ("unable to load chart '%s': %s"):format(path, fail.message(c)), nil, { unsaid = true })
    end
    local ranged, problem = pcall(check_range, one, "dependency %s has an invalid version/constraint format: ")
    if not ranged then fail.raise(fail.kind(problem), fail.message(problem), nil, { unsaid = true }) end
    if not chart.satisfies(one.version, c.version) then
        fail.raise("chart", ("dependency %s at version %s does not satisfy the constraint %s"):format(one.name,
            c.version, one.version))
    end
end

local function pack_local(one, job, target)
    local c = chart.load(local_folder(one.repository, job.folder))
    check_range(one, "dependency %s has an invalid version/constraint format: ")
    if not chart.satisfies(one.version, c.version) then
        fail.raise("chart", "can't get a valid version for dependency " .. one.name)
    end
    c:save(target)
    one.version = c.version
end

local function equal_versions(a, b)
    local order = chart.compare_versions(a, b)
    if order then return order == 0 end
    return a == b
end

-- Where the archive of a locked dependency is.
local function link_of(one, job)
    for _, entry in ipairs(job.list) do
        if address.equal(one.repository, entry.url) then
            local versions = index.load(places.index(job.where.repository_cache, entry.name)).entries[one.name]
            if not versions then fail.raise("not_found", "could not find : entry not found") end
            for _, version in ipairs(versions) do
                if #version.urls > 0 and (one.version == "" or equal_versions(one.version, version.version)) then
                    local url = version.urls[1]
                    if not address.is_absolute(url) then url = address.join(one.repository, url) end
                    return { url = url, access = repositories.access(entry), digest = version.digest }
                end
            end
            fail.raise("not_found", "could not find : no matching version")
        end
    end
    local ok, link = pcall(download.find_at, one.repository, one.name, one.version, job.access)
    if ok then return link end
    fail.raise(fail.kind(link), ("could not find : chart %s not found in %s: %s"):format(one.name, one.repository,
        fail.message(link)))
end

local function obtain(one, job, target)
    if oci.is(one.repository) then
        job.say(("Downloading %s from repo %s\n"):format(one.name, one.repository))
        return oci.download(one.repository .. "/" .. one.name, one.version, job.access, job.where, target,
            job.proof)
    end
    local link = link_of(one, job)
    if job.fetched[link.url] then
        return job.say(("Already downloaded %s from repo %s\n"):format(one.name, one.repository))
    end
    job.say(("Downloading %s from repo %s\n"):format(one.name, one.repository))
    local ok, problem = pcall(download.save, link, target, job.proof)
    if not ok then
        fail.raise(fail.kind(problem), ("could not download %s: %s"):format(link.url, fail.message(problem)),
            fail.field(problem, "hint"))
    end
    job.fetched[link.url] = true
end

local function gather(locked, job, charts, target)
    for _, one in ipairs(locked) do
        if one.repository == "" then
            job.say(("Dependency %s did not declare a repository. Assuming it exists in the charts directory\n"):format(
                one.name))
            check_unpacked(one, charts)
        elseif is_local(one.repository) then
            pack_local(one, job, target)
        else
            obtain(one, job, target)
        end
    end
end

-- Archives of charts/ that are nobody's any more go; what is no chart stays.
local function remove_outdated(locked, charts, kept, before, say)
    local unpacked = {}
    for _, one in ipairs(locked) do unpacked[one.name] = one.repository == "" or nil end
    say("Deleting outdated charts\n")
    for _, name in ipairs(before) do
        local path = fs.join(charts, name)
        if not kept[name] and (fs.stat(path, false) or {}).type ~= "dir" then
            local ok, c = pcall(chart.load, path)
            if not ok then
                say(("Could not verify %s for deletion: %s (Skipping)\n"):format(path, fail.message(c)))
            elseif not unpacked[c.name] then
                fs.remove(path)
            end
        end
    end
end

local function move_in(locked, target, charts, say)
    local kept, before = {}, fs.list(charts)
    for _, name in ipairs(fs.list(target)) do
        local from = fs.join(target, name)
        kept[name] = true
        local ok, problem = pcall(chart.load, from)
        if ok then
            fs.rename(from, fs.join(charts, name))
        else
            say(("Could not verify %s for moving: %s (Skipping)"):format(from, fail.message(problem)))
        end
    end
    remove_outdated(locked, charts, kept, before, say)
end

-- Everything comes into a folder beside charts/ first, so that a failure leaves charts/ as it was.
local function download_all(locked, job)
    local charts = fs.join(job.folder, "charts")
    local stat = fs.stat(charts)
    if stat and stat.type ~= "dir" then fail.raise("exists", ('"%s" is not a directory'):format(charts)) end
    fs.mkdir(charts)
    local target = fs.join(job.folder, ("tmpcharts-%d"):format(proc.pid()))
    fs.mkdir(target)
    job.say(("Saving %d charts\n"):format(#locked))
    local ok, problem = pcall(gather, locked, job, charts, target)
    local unsaid = ok or fail.field(problem, "unsaid")
    if ok then ok, problem = pcall(move_in, locked, target, charts, job.say) end
    fs.remove(target)
    if ok then return end
    if not unsaid and fail.kind(problem) ~= "cancelled" then
        job.say(("Save error occurred:  %s\n"):format(fail.message(problem)))
    end
    error(problem, 0)
end

local function new_job(folder, options, say, strategy)
    local where = places.of(options)
    local proof = strategy and { strategy = strategy, keyring = provenance.keyring(options), say = say }
    return { folder = folder, where = where, access = download.access(options), say = say, proof = proof or nil,
        fetched = {}, skip_refresh = options.skip_refresh,
        list = repositories.load(where.repository_config).repositories }
end

---Brings charts/ and Chart.lock to what Chart.yaml asks for.
---@async
---@param folder string of the chart
---@param options table flags of the groups connection and verify; skip_refresh
---@param say fun(text: string) takes what helm prints
---@param strategy string? that of todo.Proof; default: provenance does not matter
function dependencies.update(folder, options, say, strategy)
    local job = new_job(folder, options, say, strategy)
    local c = load_folder(folder)
    if not c.metadata.dependencies then return end
    local requests = requests_of(c)
    local names = resolve_names(requests, folder, job.list)
    add_unmanaged(requests, names, job)
    if not job.skip_refresh then refresh_listed(job.list, job.where.repository_cache, say) end
    local locked = resolve(requests, names, job)
    download_all(locked, job)
    local sum = chart_lock.sum(requests, locked)
    if not (c.lock and c.lock.digest == sum) then chart_lock.write(c, job.folder, locked, sum) end
end

local function check_lock(c, requests, untouched)
    if chart_lock.sum(requests, c.lock.dependencies or {}) == c.lock.digest then return end
    if c.metadata.apiVersion ~= "v1" then
        fail.raise("chart", "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). "
            .. "Please update the dependencies")
    end
    log.warn("a valid Helm v3 hash was not found. Checking against Helm v2 hash...")
    if chart_lock.old_sum(untouched) ~= c.lock.digest then
        fail.raise("chart", "the lock file (requirements.lock) is out of sync with the dependencies file "
            .. "(requirements.yaml). Please update the dependencies")
    end
end

local function check_known(locked, list)
    local missing = {}
    for _, one in ipairs(locked) do
        local repository = one.repository or ""
        local known = repository == "" or is_local(repository) or oci.is(repository)
        for _, entry in ipairs(list) do
            known = known or address.equal(entry.url, (repository:gsub("/$", "")))
        end
        if not known then missing[#missing + 1] = repository end
    end
    if #missing > 0 then
        fail.raise("not_found", ("no repository definition for %s. Please add the missing repos via 'helm repo add'")
            :format(table.concat(missing, ", ")))
    end
end

---Brings charts/ to what Chart.lock says; without one, as update does.
---@async
---@param folder string of the chart
---@param options table flags of the groups connection and verify; skip_refresh
---@param say fun(text: string) takes what helm prints
---@param strategy string? that of todo.Proof; default: provenance does not matter
function dependencies.build(folder, options, say, strategy)
    local c = load_folder(folder)
    if not c.lock then return dependencies.update(folder, options, say, strategy) end
    local job = new_job(folder, options, say, strategy)
    local requests = requests_of(c)
    resolve_names(requests, folder, job.list)
    check_lock(c, requests, requests_of(c))
    local locked = tables.map(c.lock.dependencies or {}, function(one)
        return { name = one.name, repository = one.repository or "", version = one.version or "" }
    end)
    check_known(locked, job.list)
    if not job.skip_refresh then refresh_listed(job.list, job.where.repository_cache, say) end
    download_all(locked, job)
end

return dependencies
