-- The configuration and its chain of overrides.
local fail = require "fail"
local format = require "format"
local fs = require "fs"
local lu = require "luaunit"
local prerequisites = require "prerequisites"
local proc = require "proc"
local program = require "program"
local project = require "project"
local steps = require "steps"
local suggest = require "suggest"
local tables = require "tables"

local tests = {}

local base = assert(load(assert(program.resource("lua/config.lua")), "@lua/config.lua"))()

local function merge(...)
    local layers = {}
    for index, value in ipairs { ... } do layers[index] = { name = "layer" .. index .. ".lua", value = value } end
    return project.merge(base, layers)
end

local function refused(layer)
    local ok, problem = pcall(merge, layer)
    lu.assertFalse(ok)
    lu.assertEquals(fail.kind(problem), "config")
    return problem.message
end

function tests.shipped_config_has_the_names_and_numbers_of_the_plan()
    lu.assertEquals(base.release, "todo-app")
    lu.assertEquals(base.namespace, "todo-app")
    lu.assertEquals({ base.cluster.cpus, base.cluster.memory, base.cluster.disk, base.cluster.driver },
        { 4, 8192, "20g", "docker" })
    lu.assertEquals(base.images.frontend.name, "todo-frontend")
    lu.assertEquals(base.images.frontend.args.NEXT_PUBLIC_API_URL, "http://localhost:30080")
    lu.assertEquals({ base.images.frontend.max_mb, base.images.backend.max_mb, base.images.mcp.max_mb },
        { 300, 400, 400 })
    lu.assertEquals(base.images.mcp.context, base.images.backend.context)
    lu.assertEquals(base.ports, { frontend = 3000, backend = 8000, mcp = 8001, node = 30080 })
    lu.assertEquals(base.timeout, 120)
end

function tests.merge_later_layer_wins_and_maps_merge_deeply()
    local config = merge({ cluster = { cpus = 2 }, release = "mine" },
        { cluster = { memory = 4096 }, release = "other" })
    lu.assertEquals(config.cluster.cpus, 2)
    lu.assertEquals(config.cluster.memory, 4096)
    lu.assertEquals(config.cluster.disk, "20g")
    lu.assertEquals(config.release, "other")
end

function tests.merge_lists_are_replaced_not_appended()
    lu.assertEquals(merge({ components = { "frontend" } }).components, { "frontend" })
end

function tests.merge_leaves_the_shipped_table_alone()
    merge({ cluster = { cpus = 1 } })
    lu.assertEquals(base.cluster.cpus, 4)
end

function tests.merge_function_layer_sees_what_came_before()
    local config = merge({ release = "first" }, function(so_far) return { namespace = so_far.release .. "-space" } end)
    lu.assertEquals(config.namespace, "first-space")
end

function tests.merge_collects_values_and_steps_of_every_layer()
    local first, second = function() end, function() end
    local config, values, wrappers = merge({ values = { a = 1 }, steps = { build = first } },
        { values = function(v) return v end, steps = { build = second, setup = false } })
    lu.assertNil(config.values)
    lu.assertEquals(#values, 3)
    lu.assertEquals(wrappers.build, { first, second })
    lu.assertEquals(wrappers.setup, { false })
end

function tests.merge_misspelt_setting_names_file_and_nearest()
    lu.assertEquals(refused { releese = "x" }, "layer1.lua: unknown setting releese (did you mean release?)")
    lu.assertStrContains(refused { database = { prot = 1 } }, "database.prot (did you mean port?)")
    lu.assertStrContains(refused { images = { mcp = { contxt = "x" } } }, "images.mcp.contxt (did you mean context?)")
    lu.assertStrContains(refused { steps = { biuld = function() end } }, "steps.biuld")
end

function tests.merge_misspelt_setting_of_any_table_is_refused()
    for text, layer in pairs {
        ["cluster.memmory (did you mean memory?)"] = { cluster = { memmory = 4096 } },
        ["cluster.kubernets_version (did you mean kubernetes_version?)"] = { cluster = { kubernets_version = "1.36.1" } },
        ["cluster.colour"] = { cluster = { colour = "red" } },
        ["ports.nod (did you mean node?)"] = { ports = { nod = 30090 } },
        ["url.expects (did you mean expect?)"] = { url = { expects = "x" } },
        ["images.frontend.browser.arg (did you mean args?)"] = { images = { frontend = { browser = { arg = {} } } } },
        ["images.worker.browser.file (did you mean files?)"] = { images = { worker = { browser = { file = "/x" } } } },
        ["images.worker.dockerfil (did you mean dockerfile?)"] = { images = { worker = { dockerfil = "x" } } },
    } do
        lu.assertStrContains(refused(layer), "layer1.lua: unknown setting " .. text)
    end
end

function tests.merge_tables_of_the_users_own_take_any_key()
    local config = merge { images = { backend = { args = { MINE = "1" } }, frontend = { args = { MINE = "1" } } },
        build_files = { [".x"] = "/x" }, build_secrets = { x = "/x" }, values = { any = 1 },
        cluster = { addons = { "ingress", { name = "dashboard", images = {} } }, minikube_flags = { "--cni=bridge" } } }
    lu.assertEquals(config.images.frontend.args, { NEXT_PUBLIC_API_URL = "http://localhost:30080", MINE = "1" })
    lu.assertEquals(config.cluster.addons[2].name, "dashboard")
end

-- Users find a setting in lua/config.lua, whether it has a value there or none.
function tests.shipped_config_lists_every_setting_that_is_read()
    local text = program.resource("lua/config.lua")
    local listed = {}
    for name in text:gmatch("\n%s+([%a_]+) = ") do listed[name] = true end
    local read = {}
    for _, path in ipairs(program.resources "lua") do
        local source = path:find("%.lua$") and program.resource(path) or ""
        for name in source:gmatch("config%.cluster%.([%a_]+)") do read[name] = path end
        for name in source:gmatch("config%.database%.([%a_]+)") do read[name] = path end
        local of_cluster = path:find("^lua/cluster/[^/]+$") and source or ""
        for name in of_cluster:gmatch("%f[%w_]settings%.([%a_]+)") do read[name] = path end
    end
    for _, name in ipairs { "registry", "kubernetes_version", "container_runtime", "minikube_flags", "profile" } do
        lu.assertNotNil(read[name], name)
    end
    for name, path in pairs(read) do lu.assertTrue(listed[name], ("%s, read by %s"):format(name, path)) end
end

function tests.merge_wrong_types_are_refused_with_their_path()
    lu.assertStrContains(refused { cluster = { cpus = "four" } }, "cluster.cpus is a string, it must be a number")
    lu.assertStrContains(refused { cluster = { registry = 5000 } }, "cluster.registry is a number, it must be a string")
    lu.assertStrContains(refused { images = { mcp = { args = "A=1" } } }, "images.mcp.args is a string")
    lu.assertStrContains(refused { images = "none" }, "images is a string")
    lu.assertStrContains(refused { steps = { build = "make" } }, "steps.build must be a function")
    lu.assertStrContains(refused { values = 3 }, "values must be")
    lu.assertStrContains(refused "text", "must return a table")
end

function tests.merge_settings_without_a_default_are_known()
    local config = merge { cluster = { provider = "kind" }, database = { url_file = "db.url" }, ca_bundle = "/ca.pem" }
    lu.assertEquals(config.cluster.provider, "kind")
    lu.assertEquals(config.database.url_file, "db.url")
end

function tests.merge_takes_a_component_of_the_users_own()
    local config = merge { components = { "frontend", "worker" },
        images = { worker = { name = "my-worker", context = "worker", dockerfile = "worker/Dockerfile" } } }
    lu.assertEquals(config.images.worker.name, "my-worker")
end

function tests.wrap_outermost_is_the_nearest_layer()
    local trace = {}
    local function layer(name)
        return function(next_step, ctx)
            trace[#trace + 1] = name
            return next_step(ctx)
        end
    end
    local ctx = { step_layers = { build = { layer "base", layer "user", layer "local" } } }
    local changed, text = project.wrap(ctx, "build", function() trace[#trace + 1] = "step" return true,
        "built" end)(ctx)
    lu.assertEquals(trace, { "local", "user", "base", "step" })
    lu.assertTrue(changed)
    lu.assertEquals(text, "built")
end

function tests.wrap_false_leaves_the_step_out()
    local called = false
    local ctx = { step_layers = { setup = { false } } }
    local changed = project.wrap(ctx, "setup", function() called = true return true end)(ctx)
    lu.assertFalse(called)
    lu.assertFalse(changed)
end

-- Runs a script in a project of its own; gives its outcome.
local function in_project(files, argv)
    local dir <close> = fs.tempdir()
    fs.mkdir(dir.path .. "/lua")
    fs.write(dir.path .. "/lua/config.lua", (program.resource("lua/config.lua")))
    for name, text in pairs(files) do
        fs.mkdir(fs.dirname(dir.path .. "/" .. name))
        fs.write(dir.path .. "/" .. name, text)
    end
    local command = { program.executable }
    table.move(argv, 1, #argv, 2, command)
    return proc.run(command, { cwd = dir.path, check = false, timeout = 30, env = {
        XDG_CONFIG_HOME = dir.path .. "/config", XDG_STATE_HOME = dir.path .. "/state", XDG_CACHE_HOME = dir.path
            .. "/cache",
    } })
end

local show = [[
local ctx = require("project").open(require("cli").read({ name = "t", summary = "", groups = { "cluster" } },
    require("program").args))
print(ctx.config.release .. " " .. ctx.config.cluster.cpus .. " " .. ctx.config.namespace)
]]

function tests.open_reads_user_then_project_then_flags()
    local result = in_project({
        ["show.lua"] = show,
        ["config/todo-lua/config.lua"] = 'return { release = "user", cluster = { cpus = 1 }, namespace = "user" }',
        ["todo.local.lua"] = 'return { cluster = { cpus = 2 }, namespace = "project" }',
    }, { "show.lua", "--namespace", "flag" })
    lu.assertEquals(result.stderr, "")
    lu.assertEquals(result.stdout, "user 2 flag\n")
end

function tests.open_registry_belongs_to_a_context()
    local script = [[
local ctx = require("project").open(require("cli").read({ name = "t", summary = "", groups = { "cluster" } },
    require("program").args))
print(ctx.config.cluster.registry)
]]
    local result = in_project({ ["show.lua"] = script }, { "show.lua", "--context", "x", "--registry", "r.test/team/" })
    lu.assertEquals(result.stdout, "r.test/team\n")
    result = in_project({ ["show.lua"] = script }, { "show.lua", "--registry", "r.test" })
    lu.assertEquals(result.status, 2)
    lu.assertStrContains(result.stderr, "--registry goes with --context")
    result = in_project({ ["show.lua"] = script,
        ["todo.local.lua"] = 'return { cluster = { provider = "context", registry = "mine.test" } }' }, { "show.lua" })
    lu.assertEquals(result.stdout, "mine.test\n")
end

function tests.open_broken_override_names_its_line_and_exits_1()
    local result = in_project({ ["show.lua"] = show, ["todo.local.lua"] = "return {\n  release = \n}\n" },
        { "show.lua" })
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "todo.local.lua:3:")
    lu.assertNotStrContains(result.stderr, "traceback")
end

function tests.open_failing_override_names_its_line()
    local result = in_project({ ["show.lua"] = show, ["todo.local.lua"] = "local t\n\nreturn t.x\n" }, { "show.lua" })
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "todo.local.lua:3:")
end

function tests.open_impossible_number_of_nodes_is_refused()
    for _, count in ipairs { "0", "6", "2.5" } do
        local result = in_project({ ["show.lua"] = show,
            ["todo.local.lua"] = ("return { cluster = { nodes = %s } }"):format(count) }, { "show.lua" })
        lu.assertEquals(result.status, 1)
        lu.assertStrContains(result.stderr, ("cluster.nodes is %s, it must be a whole number from 1 to 5"):format(count))
    end
end

function tests.open_impossible_release_name_is_refused()
    local result = in_project({ ["show.lua"] = show }, { "show.lua", "--release", "My_App" })
    lu.assertEquals(result.status, 1)
    lu.assertStrContains(result.stderr, "lower-case letters")
end

function tests.scripts_answer_help_and_refuse_wrong_usage_with_2()
    for _, script in ipairs { "deploy", "setup", "build", "status", "logs", "exec", "forward", "top", "events", "open",
        "doctor", "destroy" } do
        local help = proc.run({ program.executable, script, "--help" })
        lu.assertStrContains(help.stdout, "usage: todo-lua " .. script)
        local wrong = proc.run({ program.executable, script, "--no-such-thing" }, { check = false })
        lu.assertEquals(wrong.status, 2, script)
        lu.assertStrContains(wrong.stderr, "unknown option --no-such-thing")
        lu.assertEquals(wrong.stdout, "")
    end
end

function tests.examples_are_valid_overrides()
    local folder = fs.join(program.project, "examples/overrides")
    local count = 0
    for _, file in ipairs(fs.list(folder)) do
        if file:find("%.lua$") then
            count = count + 1
            local layer = dofile(fs.join(folder, file))
            local _, values, wrappers = project.merge(base, { { name = file, value = layer } })
            lu.assertTrue(#values > 1 or next(wrappers) ~= nil or layer.namespace ~= nil, file)
        end
    end
    lu.assertEquals(count, 4)
end

function tests.deploy_stays_readable()
    local _, lines = program.resource("lua/deploy.lua"):gsub("\n", "")
    lu.assertTrue(lines < 120, "lua/deploy.lua has " .. lines .. " lines")
end

function tests.tables_difference_gives_back_only_what_changed()
    local old = { a = 1, deep = { b = 2, c = 3 }, list = { 1, 2 } }
    local new = tables.copy(old)
    new.deep.c, new.list, new.added = 4, { 1 }, true
    lu.assertEquals(tables.difference(old, new), { deep = { c = 4 }, list = { 1 }, added = true })
    lu.assertTrue(tables.equal(tables.merge(old, tables.difference(old, new)), new))
end

function tests.suggest_is_silent_about_strangers()
    lu.assertEquals(suggest.nearest("minikub", { "minikube", "kind" }), "minikube")
    lu.assertNil(suggest.nearest("helicopter", { "minikube", "kind" }))
end

function tests.versions_compare_by_number()
    lu.assertTrue(prerequisites.at_least("1.33.0", "1.33"))
    lu.assertTrue(prerequisites.at_least("1.100", "1.33"))
    lu.assertTrue(prerequisites.at_least("v2", "1.33"))
    lu.assertFalse(prerequisites.at_least("1.9.9", "1.33"))
    lu.assertFalse(prerequisites.at_least("3", "3.14"))
end

function tests.format_reads_kubernetes_times()
    lu.assertEquals(format.epoch("1970-01-01T00:00:00Z"), 0)
    lu.assertEquals(format.epoch("2026-02-28T23:59:59Z"), 1772323199)
    lu.assertEquals(format.epoch(format.timestamp(1709210096)), 1709210096)
    lu.assertNil(format.epoch("soon"))
end

function tests.format_durations_and_sizes()
    lu.assertEquals(format.duration(0.44), "0.4 s")
    lu.assertEquals(format.duration(59.7), "1 m 0 s")
    lu.assertEquals(format.duration(3725), "1 h 2 m")
    lu.assertEquals(format.size(999), "999 B")
    lu.assertEquals(format.size(287400000), "287 MB")
    lu.assertEquals(format.age(119), "119s")
    lu.assertEquals({ format.age(7300), format.age(-1.5), format.age(-3) }, { "121m", "0s", "<invalid>" })
    lu.assertEquals({ format.age(200), format.age(180), format.age(4 * 3600), format.age(30000) }, { "3m20s", "3m", "4h", "8h" })
    lu.assertEquals({ format.age(190000), format.age(70000000) }, { "2d4h", "2y80d" })
end

function tests.summary_of_an_unchanged_run_says_so()
    lu.assertStrContains(steps.summary({ changed = false, seconds = 0.7 }), "Nothing to do")
    lu.assertEquals(steps.summary({ changed = true, seconds = 75 }), "Done in 1 m 15 s.")
end

return tests
