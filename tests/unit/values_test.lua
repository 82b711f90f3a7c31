-- Where values come from: todo-lua values, Chart:trace, and what is masked.
local chart = require "chart"
local fs = require "fs"
local json = require "json"
local lu = require "luaunit"
local lua_source = require "lua_source"
local mask = require "mask"
local origins = require "origins"
local proc = require "proc"
local program = require "program"
local secret = require "secret"

local tests = {}

-- A project with an own configuration, and the user's folder beside it.
local function project_in(dir, files)
    for name, text in pairs(files) do
        local path = fs.join(dir, name)
        fs.mkdir(fs.dirname(path))
        fs.write(path, text)
    end
end

local function config_with(values)
    local text = program.resource("lua/config.lua")
    local changed, count = text:gsub("values = {},", "values = {\n        " .. values .. "\n    },")
    assert(count == 1)
    return changed
end

local function values(dir, ...)
    return proc.run({ program.executable, "-C", fs.join(dir, "project"), "values", ... },
        { env = { XDG_CONFIG_HOME = fs.join(dir, "user"), XDG_STATE_HOME = fs.join(dir, "state") }, check = false })
end

local function why(dir, path, ...)
    local result = values(dir, "why", path, "-o", "json", ...)
    lu.assertEquals(result.status, 0, result.stderr)
    return json.decode(result.stdout)
end

local function places(found)
    local list = {}
    for index, loser in ipairs(found.losers) do list[index] = loser.name .. (loser.line and ":" .. loser.line or "") end
    return list
end

-- Six layers, each made the winner in turn by taking away the one above it.
function tests.why_names_each_layer_in_turn()
    local folder <close> = fs.tempdir()
    local dir = folder.path
    project_in(dir, {
        ["project/lua/config.lua"] = config_with 'config = { logLevel = "from-config" },',
        ["project/mine.yaml"] = "# mine\nconfig:\n  debug: 'true'\n  logLevel: from-file\n",
        ["user/todo-lua/config.lua"] = '-- my own\nreturn {\n  values = { config = { logLevel = "from-user" } },\n}\n',
        ["project/todo.local.lua"] = "return {\n  values = function(values, ctx)\n    values.config.logLevel = 'from-local'\n"
            .. "    return values\n  end,\n}\n",
    })
    local file = fs.join(dir, "project/mine.yaml")
    local text = program.resource("lua/config.lua")
    local _, config_line = text:sub(1, assert(text:find("values = {},", 1, true))):gsub("\n", "")
    local user = fs.join(dir, "user/todo-lua/config.lua")
    local _, above = program.resource("chart/values.yaml"):match("^(.-)\n[^\n]*logLevel:"):gsub("\n", "")
    local layers = { -- name, line, value, how it is taken away
        { "--set config.logLevel=from-flag", nil, "from-flag" },
        { "todo.local.lua", 3, "from-local", "project/todo.local.lua" },
        { user, 3, "from-user", "user/todo-lua/config.lua" },
        { "lua/config.lua", config_line + 2, "from-config", "project/lua/config.lua" },
        { "-f " .. file, 4, "from-file" },
        { "chart/values.yaml (in todo-lua)", above + 2, "info" },
    }
    local flags = { "--set", "config.logLevel=from-flag", "-f", file }
    for index, layer in ipairs(layers) do
        local found = why(dir, "config.logLevel", table.unpack(flags))
        lu.assertEquals(#found.values, 1)
        local one = found.values[1]
        lu.assertEquals({ one.origin.name, one.origin.line, one.value }, { layer[1], layer[2], layer[3] })
        local losers = {}
        for under = index + 1, #layers do losers[#losers + 1] = layers[under][1] .. ":" .. layers[under][2] end
        lu.assertEquals(places(found), losers, layer[1])
        if index == 1 then flags = { "-f", file } end
        if index == 5 then flags = {} end
        if layer[4] == "project/lua/config.lua" then
            fs.write(fs.join(dir, layer[4]), text)
        elseif layer[4] then
            fs.remove(fs.join(dir, layer[4]))
        end
    end
end

function tests.why_names_columns_what_removed_and_the_nearest_path()
    local folder <close> = fs.tempdir()
    local dir = folder.path
    project_in(dir, { ["project/lua/config.lua"] = program.resource("lua/config.lua") })
    local found = why(dir, "backend.image.tag", "--set", "backend.image.tag=a")
    lu.assertEquals(found.losers[2].column, 5)
    local gone = why(dir, "mcp.enabled", "--set", "mcp=null")
    lu.assertEquals({ gone.removed.name, gone.removed.cut, #gone.values }, { "--set mcp=null", "mcp", 0 })
    lu.assertStrContains(values(dir, "why", "mcp.enabled", "--set", "mcp=null").stdout, "removed by\n  = --set mcp=null")
    local wrong = values(dir, "why", "backend.imag.tag")
    lu.assertEquals(wrong.status, 1)
    lu.assertStrContains(wrong.stderr, "did you mean backend.image.tag?")
    lu.assertEquals(values(dir, "why").status, 2)
    lu.assertEquals(values(dir, "why", "a..b").status, 2)
    local all = why(dir, "backend.image", "--set", "backend.image.tag=x")
    lu.assertEquals({ all.values[1].path, all.values[1].origin.name }, { "backend.image.repository", "todo-lua deploy" })
    lu.assertEquals({ all.values[2].path, all.values[2].origin.kind }, { "backend.image.tag", "flag" })
end

function tests.values_never_show_a_secret_unless_asked()
    local folder <close> = fs.tempdir()
    local dir = folder.path
    local canary = "canary-" .. secret.sha256("x"):sub(1, 12)
    project_in(dir, {
        ["project/lua/config.lua"] = program.resource("lua/config.lua"),
        ["project/todo.local.lua"] = ("return { values = { secrets = { openaiApiKey = %q } } }"):format(canary),
        ["project/s.yaml"] = ("secrets: {databaseUrl: 'postgresql://u:%s@h/d'}\nbackend: {env: {URL: 'http://u:%s@h/'}}\n")
            :format(canary, canary),
    })
    local file = fs.join(dir, "project/s.yaml")
    for _, arguments in ipairs { {}, { "-o", "json" }, { "why", "secrets" }, { "why", "secrets.openaiApiKey" },
        { "why", "secrets.databaseUrl", "-o", "json" }, { "why", "backend.env" },
        { "why", "secrets.betterAuthSecret", "--set", "secrets.betterAuthSecret=" .. canary .. ",a=b" } } do
        local result = values(dir, "-f", file, "--verbose", table.unpack(arguments))
        lu.assertEquals(result.status, 0, result.stderr)
        lu.assertNotStrContains(result.stdout .. result.stderr, canary)
        lu.assertStrContains(result.stdout, mask.TEXT)
    end
    lu.assertStrContains(values(dir, "-f", file, "--reveal").stdout, canary)
end

local function traced(files, options, path)
    files["Chart.yaml"] = files["Chart.yaml"] or "apiVersion: v2\nname: top\nversion: 1.0.0\n"
    return chart.load({ files = files }):trace(options, path)
end

local function winners(found)
    local list = {}
    for _, leaf in ipairs(found.leaves) do
        local layer = leaf.layer and found.layers[leaf.layer]
        list[#list + 1] = ("%s=%s %s%s"):format(origins.text(leaf.path), json.encode(leaf.value),
            layer and layer.name or "?", leaf.line and (":%d:%d"):format(leaf.line, leaf.column) or "")
    end
    return list
end

local function with_subchart(more)
    local files = {
        ["Chart.yaml"] = "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- {name: sub, version: '*', alias: one, "
            .. "import-values: [{child: out, parent: got}]}\n- {name: sub, version: '*', alias: two}\n",
        ["values.yaml"] = "one:\n  a: top\nglobal:\n  g: top\n",
        ["charts/sub/Chart.yaml"] = "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
        ["charts/sub/values.yaml"] = "a: sub\nb: sub\nout:\n  x: 1\nglobal: {h: sub}\n",
    }
    for name, text in pairs(more or {}) do files[name] = text end
    return files
end

function tests.trace_follows_aliases_globals_and_imports()
    lu.assertEquals(winners(traced(with_subchart(), {}, { "one", "a" })), { 'one.a="top" values.yaml:2:3' })
    lu.assertEquals(winners(traced(with_subchart(), {}, { "two", "a" })), { 'two.a="sub" charts/sub/values.yaml:1:1' })
    lu.assertEquals(winners(traced(with_subchart(), {}, { "one", "global" })),
        { 'one.global.g="top" values.yaml:4:3', 'one.global.h="sub" charts/sub/values.yaml:5:10' })
    lu.assertEquals(winners(traced(with_subchart(), {}, { "got" })), { "got.x=1 charts/sub/values.yaml" })
    lu.assertEquals(winners(traced(with_subchart(), { set = { "global.g=flag" } }, { "two", "global", "g" })),
        { 'two.global.g="flag" --set global.g=flag' })
end

function tests.trace_names_every_kind_of_flag_in_helms_order()
    local folder <close> = fs.tempdir()
    local path = fs.join(folder.path, "v")
    fs.write(path, "from a file")
    local options = { set = { "a=1" }, set_string = { "a=2" }, set_json = { 'a="3"' }, set_file = { "a=" .. path },
        set_literal = { "a=5" } }
    for _, flag in ipairs { "--set-literal a=5", "--set-file a=" .. path, "--set-string a=2", "--set a=1",
        '--set-json a="3"' } do
        local found = traced({ ["values.yaml"] = "a: 0\n" }, options, { "a" })
        lu.assertStrContains(winners(found)[1], " " .. flag)
        options[flag:match("^%-%-(%S+)"):gsub("-", "_")] = nil
    end
    lu.assertEquals(winners(traced({ ["values.yaml"] = "a: 0\n" }, options, { "a" })), { "a=0 values.yaml:1:1" })
end

function tests.trace_items_of_a_list_have_origins_of_their_own()
    local files = { ["values.yaml"] = "l:\n- a: 1\n- a: 2\nm: &m {k: v}\no:\n  <<: *m\n" }
    lu.assertEquals(winners(traced(files, {}, { "l", 1, "a" })), { "l[1].a=2 values.yaml:3:3" })
    lu.assertEquals(winners(traced(files, {}, { "o", "k" })), { 'o.k="v" values.yaml:4:8' })
    local options = { layers = { { name = "x.lua", values = { l = { { a = 8 }, { a = 9 } } } } }, set = { "l[0].a=7" } }
    lu.assertEquals(winners(traced(files, options, { "l" })), { "l[0].a=7 --set l[0].a=7", "l[1].a=9 x.lua" })
end

function tests.trace_gives_the_values_that_merge_gives()
    local files = with_subchart { ["values.yaml"] = "one: {a: null, deep: {l: [1, {x: y}], e: {}}}\ntwo: {b: 3}\n" }
    local options = { set = { "two.out=null", "n.m[1].k=v" }, set_json = { 'j={"a":[1,2]}' } }
    local merged, rebuilt = chart.load({ files = files }):merge(options), {}
    for _, leaf in ipairs(traced(files, options).leaves) do
        local at = rebuilt
        for index, step in ipairs(leaf.path) do
            local key = type(step) == "number" and step + 1 or step
            if index == #leaf.path then at[key] = leaf.value else at[key] = at[key] or {} end
            at = at[key]
        end
    end
    lu.assertEquals(rebuilt, merged)
end

function tests.parse_reads_keys_items_and_escapes()
    lu.assertEquals(origins.parse("a.b[0].c\\.d[1][2]"), { "a", "b", 0, "c.d", 1, 2 })
    lu.assertEquals(origins.parse("one"), { "one" })
    for _, text in ipairs { "", ".", "a.", ".a", "a..b", "a[x]" } do
        lu.assertFalse(pcall(origins.parse, text), text)
    end
    lu.assertEquals(origins.text(origins.parse("a\\.b.c[3].d")), "a\\.b.c[3].d")
end

function tests.lua_source_finds_fields_in_constructors_and_assignments()
    local text = [==[
-- values = { a = 1 }
local x = { a = "{" } --[[ values = { a = 2 } ]]
return {
    values = {
        other = { a = { b = 0 }, },
        ["a"] = {
            b = [[text
of two lines]],
            c = 3, d = "}",
        },
    },
    steps = { a = { b = 1 } },
}
]==]
    lu.assertEquals(lua_source.line_of(text, { "values" }, { "a", "b" }), 7)
    lu.assertEquals(lua_source.line_of(text, { "values" }, { "a", "c" }), 9)
    lu.assertEquals(lua_source.line_of(text, { "values" }, { "a", "nowhere" }), 6)
    lu.assertNil(lua_source.line_of(text, { "values" }, { "nowhere" }))
    lu.assertEquals(lua_source.line_of("return function(v)\nif v.a.b == 1 then\nv.a.b = 2 end end", {}, { "a", "b" }), 3)
    for cut = 1, #text do lua_source.line_of(text:sub(1, cut), { "values" }, { "a", "b" }) end -- ends, whatever the text
end

function tests.mask_knows_secret_names_and_leaves_the_rest()
    for _, name in ipairs { "password", "DB_PASSWORD", "apiKey", "openaiApiKey", "secrets", "auth-token", "privateKey",
        "secretAccessKey", "databaseUrl", "clientSecret" } do
        lu.assertTrue(mask.is_secret_key(name), name)
    end
    for _, name in ipairs { "secretName", "existingSecret", "imagePullSecrets", "passwordKey", "tokenSecretRef", "tag",
        "automountServiceAccountToken.enabled", "secretNamespace", "key", "host" } do
        lu.assertFalse(mask.is_secret_key(name), name)
    end
    lu.assertEquals(mask.value { a = { token = "x", n = 1, url = "http://u:p@h/", list = json.list {} } },
        { a = { token = "•••", n = 1, url = "http://u:•••@h/", list = {} } })
    lu.assertEquals(mask.flag "--set a.password=x,b=y", "--set a.password=•••,b=y")
    lu.assertEquals(mask.flag '--set-json a={"token":"x"}', '--set-json a={"token":"•••"}')
    lu.assertEquals(mask.flag "--set-literal secrets.a=x,y", "--set-literal secrets.a=•••")
end

return tests
