-- The custom resource definitions in a chart's crds/ folder. helm makes them with the first install and never touches
-- them again; here they are brought up to date where that is asked for.
local apply = require "release.apply"
local changes = require "release.changes"
local diff = require "diff"
local fail = require "fail"
local objects = require "release.objects"
local prepare = require "release.prepare"
local wait = require "wait"

local crds = {}

local WAIT_SECONDS = 60
local CONTEXT = 3 -- lines around each change

local function create(env, list)
    local made = {}
    for _, object in ipairs(list) do
        local ok, problem = pcall(apply.create, env.client, { object })
        if ok then
            made[#made + 1] = object
        elseif fail.kind(problem) ~= "exists" then
            fail.raise(fail.kind(problem), ("failed to install CRD %s: %s"):format(object.metadata.name,
                fail.message(problem)), fail.field(problem, "hint"), { cause = problem })
        end
    end
    return made
end

-- Its definitions, those of subcharts that are switched on included.
local function of_chart(env, c, o)
    local list = {}
    for _, file in ipairs(c:crds { values = o.values }) do
        local objects_of_file = objects.build(env.client, file.data, env.namespace)
        table.move(objects_of_file, 1, #objects_of_file, #list + 1, list)
    end
    return list
end

-- Shows what changes of the definitions that exist, then lets the server merge: what the chart no longer has goes.
local function update(env, list)
    for _, object in ipairs(list) do
        local change = changes.applied(env.client, object)
        if change then
            env.log.info("%s\n%s", changes.title(change, env.namespace), diff.text(change.lines, CONTEXT))
            env.client:apply(object, { field_manager = "todo-lua", force = true })
        end
    end
end

---Creates the definitions that are missing and waits until the server serves them; with upgrade_crds those that
---differ are changed, too, after what changes was shown.
---@async
---@param env todo.ReleaseEnv
---@param c todo.Chart
---@param o todo.ReleaseOptions
function crds.install(env, c, o)
    if o.skip_crds or prepare.is_dry(o) then return end
    local list = of_chart(env, c, o)
    if #list == 0 then return end
    local made = create(env, list)
    if #made > 0 then wait.ready(env.client, made, { seconds = WAIT_SECONDS }) end
    if o.upgrade_crds then update(env, list) end
end

return crds
