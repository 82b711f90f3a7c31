-- helm repo: the list of chart repositories and their indexes.
local fail = require "fail"
local fs = require "fs"
local index = require "chart_repo.index"
local json = require "json"
local places = require "chart_repo.places"
local repositories = require "chart_repo.repositories"
local session = require "release.session"
local tables = require "tables"
local task = require "task"

local repo = {}

-- Official repositories that are gone for good.
local gone = {
    ["//kubernetes-charts.storage.googleapis.com"] = "https://charts.helm.sh/stable",
    ["//kubernetes-charts-incubator.storage.googleapis.com"] = "https://charts.helm.sh/incubator",
}

local function check_gone(url)
    for old, new in pairs(gone) do
        if url:find(old, 1, true) then
            fail.raise("usage", ("repo %q is no longer available; try %q instead"):format(url, new))
        end
    end
end

local function password_of(options)
    if options.username == nil or options.username == "" or options.password then return options.password end
    if options.password_stdin then return (io.read("a"):gsub("\n$", ""):gsub("\r$", "")) end
    fail.raise("usage", "the password is missing: --password-stdin reads it from standard input")
end

local function add(options, name, url, where)
    local file = repositories.load(where.repository_config)
    local entry = repositories.entry { name = name, url = url, username = options.username,
        password = password_of(options), certFile = options.cert_file, keyFile = options.key_file,
        caFile = options.ca_file, insecure_skip_tls_verify = options.insecure_skip_tls_verify,
        pass_credentials_all = options.pass_credentials }
    if name:find("/", 1, true) then
        fail.raise("usage", ("repository name (%s) contains '/', please specify a different name without '/'"):format(
            name))
    end
    local existing = repositories.find(file, name)
    if existing and not options.force_update then
        if not tables.equal(existing, entry) then
            fail.raise("exists", ("repository name (%s) already exists, please specify a different name"):format(name))
        end
        return session.write(("%q already exists with the same configuration, skipping\n"):format(name))
    end
    local ok, problem = pcall(repositories.refresh, entry, where.repository_cache, options.timeout)
    if not ok then
        if fail.kind(problem) == "cancelled" or fail.message(problem):find("^could not find protocol") then
            error(problem, 0)
        end
        fail.raise(fail.kind(problem), ("looks like %q is not a valid chart repository or cannot be reached: %s")
            :format(url, fail.message(problem)), fail.field(problem, "hint"), { cause = problem })
    end
    repositories.put(file, entry)
    repositories.save(file)
    session.write(("%q has been added to your repositories\n"):format(name))
end

local timeout = { "timeout", kind = "duration", default = 120, help = "time to wait for an index" }

repo.add = {
    usage = "[NAME] [URL] [flags]", summary = "add a chart repository", arguments = { min = 2, max = 2 },
    flags = {
        { "allow-deprecated-repos", kind = "bool", help = "take repositories that are gone for good, too" },
        { "ca-file", help = "PEM file of the authorities that the repository's certificate is checked with" },
        { "cert-file", help = "PEM file of this machine's certificate for the repository" },
        { "force-update", kind = "bool", help = "replace the repository of this name" },
        { "insecure-skip-tls-verify", kind = "bool", help = "do not check the repository's certificate" },
        { "key-file", help = "PEM file of the certificate's key" },
        { "no-update", kind = "bool", help = "for old command lines; means nothing" },
        { "pass-credentials", kind = "bool", help = "send the credentials to every host that the repository names" },
        { "password", help = "password for the repository" },
        { "password-stdin", kind = "bool", help = "read the password from standard input" },
        { "username", help = "user name for the repository" },
        timeout,
    },
    run = function(options, words)
        check_gone(words[2])
        local where = places.of(options)
        repositories.locked(where.repository_config, function() add(options, words[1], words[2], where) end)
        return 0
    end,
}

repo.list = {
    usage = "[flags]", summary = "list chart repositories", aliases = { "ls" }, arguments = { min = 0, max = 0 },
    flags = { session.output_flag() },
    run = function(options)
        local list = repositories.load(places.of(options).repository_config).repositories
        if #list == 0 and options.output == "table" then fail.raise("not_found", "no repositories to show") end
        local shown = json.list(tables.map(list, function(entry)
            return session.ordered({ "name", "url" }, entry)
        end))
        session.print(options, shown, function()
            local rows = { { "NAME", "URL" } }
            for _, entry in ipairs(list) do rows[#rows + 1] = { entry.name, entry.url } end
            return session.table(rows)
        end)
        return 0
    end,
}

repo.remove = {
    usage = "[REPO1 [REPO2 ...]] [flags]", summary = "remove one or more chart repositories", aliases = { "rm" },
    arguments = { min = 1 }, flags = {},
    run = function(options, words)
        local where = places.of(options)
        local file = repositories.load(where.repository_config)
        if #file.repositories == 0 then fail.raise("not_found", "no repositories configured") end
        for _, name in ipairs(words) do
            local _, place = repositories.find(file, name)
            if not place then fail.raise("not_found", ("no repo named %q found"):format(name)) end
            table.remove(file.repositories, place)
            repositories.save(file)
            fs.remove(places.charts(where.repository_cache, name))
            fs.remove(places.index(where.repository_cache, name))
            session.write(("%q has been removed from your repositories\n"):format(name))
        end
        return 0
    end,
}

local function chosen(list, names)
    for _, name in ipairs(names) do
        if not repositories.find({ repositories = list }, name) then
            fail.raise("not_found", ("no repositories found matching '%s'.  Nothing will be updated"):format(name))
        end
    end
    if #names == 0 then return list end
    return tables.filter(list, function(entry)
        for _, name in ipairs(names) do
            if name == entry.name then return true end
        end
        return false
    end)
end

local function update(entry, options, cache, failed)
    local ok, problem = pcall(repositories.refresh, entry, cache, options.timeout)
    if ok then
        return session.write(("...Successfully got an update from the %q chart repository\n"):format(entry.name))
    end
    if fail.kind(problem) == "cancelled" then error(problem, 0) end
    failed[#failed + 1] = entry.url
    session.write(("...Unable to get an update from the %q chart repository (%s):\n\t%s\n"):format(entry.name,
        entry.url, fail.message(problem)))
end

repo.update = {
    usage = "[REPO1 [REPO2 ...]] [flags]",
    summary = "update information of available charts locally from chart repositories", aliases = { "up" },
    flags = {
        { "fail-on-repo-update-fail", kind = "bool", help = "fail where one repository does not answer" },
        timeout,
    },
    run = function(options, words)
        local where, failed = places.of(options), {}
        local list = repositories.load(where.repository_config).repositories
        if #list == 0 then fail.raise("not_found", "no repositories found. You must add one before updating") end
        list = chosen(list, words)
        for _, entry in ipairs(list) do repositories.check_scheme(entry.url) end
        session.write("Hang tight while we grab the latest from your chart repositories...\n")
        task.all(tables.map(list, function(entry)
            return function() update(entry, options, where.repository_cache, failed) end
        end))
        if #failed > 0 and options.fail_on_repo_update_fail then
            fail.raise("http", ("Failed to update the following repositories: [%s]"):format(table.concat(failed, " ")))
        end
        session.write("Update Complete. ⎈Happy Helming!⎈\n")
        return 0
    end,
}

repo.index = {
    usage = "[DIR] [flags]", summary = "generate an index file given a directory containing packaged charts",
    arguments = { min = 1, max = 1 },
    flags = {
        { "json", kind = "bool", help = "write JSON" },
        { "merge", help = "take over what this index has and the folder has not" },
        { "url", help = "URL of the repository; default: links are relative" },
    },
    run = function(options, words)
        if not fs.exists(words[1]) then
            fail.raise("not_found", ("open %s/index.yaml: no such file or directory"):format(words[1]))
        end
        local made = index.of_folder(words[1], options.url or "")
        if options.merge and options.merge ~= "" then
            if not fs.exists(options.merge) then index.write(index.new(), options.merge, options.json) end
            local ok, old = pcall(index.load, options.merge)
            if not ok then fail.raise(fail.kind(old), "merge failed: " .. fail.message(old)) end
            index.merge(made, old)
        end
        index.write(index.sort(made), fs.join(words[1], "index.yaml"), options.json)
        return 0
    end,
}

return {
    summary = "add, list, remove, update, and index chart repositories",
    help = "Keeps helm's own list of chart repositories and their indexes.",
    commands = repo,
}
