-- What a release's rollout is judged by, and what its values are made of: everything that needs no cluster.
local chart = require "chart"
local fs = require "fs"
local images = require "images"
local lu = require "luaunit"
local program = require "program"
local records = require "release.records"
local rollout = require "rollout"
local running_images = require "running_images"
local secret = require "secret"
local stack = require "stack"
local tables = require "tables"

local tests = {}

local function deployment(name, status)
    return {
        kind = "Deployment", metadata = { name = name, uid = "d-" .. name, generation = 2,
            annotations = { ["deployment.kubernetes.io/revision"] = "2" } },
        spec = { replicas = 1 }, status = status,
    }
end

local rolled_out = { observedGeneration = 2, updatedReplicas = 1, readyReplicas = 1, replicas = 1 }
local under_way = { observedGeneration = 2, updatedReplicas = 1, replicas = 2, readyReplicas = 1 }

local function replica_set(name, revision)
    return { metadata = { name = name .. revision, uid = "r-" .. name .. revision,
        annotations = { ["deployment.kubernetes.io/revision"] = tostring(revision) },
        ownerReferences = { { uid = "d-" .. name } } } }
end

local function pod(name, revision, status)
    return { metadata = { name = name .. "-pod", ownerReferences = { { uid = "r-" .. name .. revision } } },
        status = status }
end

local function waiting(reason, message, restarts, exit_code)
    return { phase = "Pending", containerStatuses = { {
        name = "main", restartCount = restarts or 0, state = { waiting = { reason = reason, message = message } },
        lastState = exit_code and { terminated = { exitCode = exit_code, reason = "Error" } } or {},
    } } }
end

local ready = { phase = "Running", conditions = { { type = "Ready", status = "True" } } }

local function judge(workload, sets, pods)
    return rollout.judge({ workloads = { workload }, replicasets = sets, pods = pods }, 1000)[1]
end

function tests.judge_all_replicas_new_and_ready_is_ready()
    lu.assertTrue(judge(deployment("web", rolled_out), { replica_set("web", 2) }, { pod("web", 2, ready) }).ready)
end

function tests.judge_old_replica_left_is_not_ready()
    lu.assertFalse(judge(deployment("web", under_way), { replica_set("web", 2) }, { pod("web", 2, ready) }).ready)
end

function tests.judge_status_of_an_older_generation_does_not_count()
    local status = tables.merge(rolled_out, { observedGeneration = 1 })
    lu.assertFalse(judge(deployment("web", status), {}, {}).ready)
end

function tests.judge_no_replicas_wanted_is_ready()
    local none = deployment("web", { observedGeneration = 2 })
    none.spec.replicas = 0
    lu.assertTrue(judge(none, {}, {}).ready)
end

function tests.judge_image_that_cannot_come_ends_the_wait()
    for _, reason in ipairs { "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError" } do
        local state = judge(deployment("web", under_way), { replica_set("web", 2) },
            { pod("web", 2, waiting(reason, "because")) })
        lu.assertEquals(state.problem.reason, reason)
        lu.assertEquals(state.problem.message, "because")
        lu.assertEquals(state.problem.pod, "web-pod")
        lu.assertNil(state.problem.after)
    end
end

function tests.judge_pull_error_may_pass_but_a_refusal_does_not()
    local function patience(reason, message)
        return judge(deployment("web", under_way), { replica_set("web", 2) },
            { pod("web", 2, waiting(reason, message)) }).problem.after
    end
    for _, reason in ipairs { "ErrImagePull", "ImagePullBackOff" } do
        lu.assertEquals(patience(reason, "dial tcp 10.0.0.1:443: connect: connection refused"), 30)
        lu.assertEquals(patience(reason, "lookup registry.example.com: no such host"), 30)
        for _, refusal in ipairs { "docker.io/library/nope:1: not found", "pull access denied for nope",
            "unexpected status: 403 Forbidden", "manifest unknown", "server message: authorization failed" } do
            lu.assertNil(patience(reason, refusal), refusal)
        end
    end
end

function tests.judge_program_that_cannot_run_ends_the_wait_at_its_first_exit()
    local function problem(exit_code)
        local status = waiting("CrashLoopBackOff", "back-off", 1, exit_code)
        return judge(deployment("web", under_way), { replica_set("web", 2) }, { pod("web", 2, status) }).problem
    end
    lu.assertEquals(problem(127).reason, "CannotRun")
    lu.assertEquals(problem(126).reason, "CannotRun")
    lu.assertNil(problem(1))
end

function tests.judge_does_not_blame_a_fresh_rollback_for_the_pods_it_replaces()
    local crashing = pod("web", 2, waiting("CrashLoopBackOff", "back-off", 2, 3))
    local workload = deployment("web", under_way)
    lu.assertEquals(judge(workload, { replica_set("web", 2) }, { crashing }).problem.reason, "CrashLoopBackOff")
    workload.metadata.generation = workload.status.observedGeneration + 1 -- patched, and its controller has not looked
    lu.assertNil(judge(workload, { replica_set("web", 2) }, { crashing }).problem)
end

function tests.judge_refused_pods_of_a_set_are_found_in_its_events()
    local set = { kind = "StatefulSet", metadata = { name = "db", uid = "s", generation = 1 }, spec = { replicas = 1 },
        status = { observedGeneration = 1 } }
    local function refused(stamp, uid)
        local event = { reason = "FailedCreate", message = "exceeded quota", lastTimestamp = stamp,
            involvedObject = { uid = uid } }
        return rollout.judge({ workloads = { set }, replicasets = {}, pods = {}, events = { event } }, 1000, 900)[1]
            .problem
    end
    lu.assertEquals(refused("1970-01-01T00:16:30Z", "s").message, "exceeded quota")
    lu.assertNil(refused("1970-01-01T00:16:30Z", "other"))
    lu.assertNil(refused("1970-01-01T00:10:00Z", "s")) -- of an earlier rollout
end

function tests.judge_crash_loop_ends_the_wait_after_the_second_restart()
    local sets = { replica_set("web", 2) }
    lu.assertNil(judge(deployment("web", under_way), sets,
        { pod("web", 2, waiting("CrashLoopBackOff", "", 1, 1)) }).problem)
    local problem = judge(deployment("web", under_way), sets,
        { pod("web", 2, waiting("CrashLoopBackOff", "", 2, 3)) }).problem
    lu.assertEquals(problem.reason, "CrashLoopBackOff")
    lu.assertStrContains(problem.message, "exit status 3")
    lu.assertTrue(problem.crashed)
end

function tests.judge_trouble_of_the_former_revision_is_no_trouble()
    local state = judge(deployment("web", under_way), { replica_set("web", 1), replica_set("web", 2) },
        { pod("web", 1, waiting("ImagePullBackOff", "x")), pod("web", 2, waiting("ContainerCreating")) })
    lu.assertNil(state.problem)
    lu.assertEquals(state.text, "ContainerCreating")
end

function tests.judge_unschedulable_pod_gets_a_grace()
    local function unschedulable(since)
        return { phase = "Pending", conditions = { { type = "PodScheduled", status = "False", reason = "Unschedulable",
            message = "Insufficient cpu", lastTransitionTime = since } } }
    end
    lu.assertNil(rollout.pod_problem(pod("web", 2, unschedulable("1970-01-01T00:16:35Z")), 1000))
    lu.assertEquals(rollout.pod_problem(pod("web", 2, unschedulable("1970-01-01T00:16:00Z")), 1000).message,
        "Insufficient cpu")
end

function tests.judge_refused_pods_and_missed_deadline_end_the_wait()
    for _, condition in ipairs { { type = "ReplicaFailure", status = "True", reason = "FailedCreate",
        message = "quota" },
        { type = "Progressing", status = "False", reason = "ProgressDeadlineExceeded" } } do
        local status = tables.merge(under_way, { conditions = { condition } })
        lu.assertEquals(judge(deployment("web", status), {}, {}).problem.reason, condition.reason)
    end
end

function tests.pod_leaving_is_neither_ready_nor_a_problem()
    local leaving = pod("web", 2, ready)
    leaving.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    lu.assertFalse(rollout.pod_ready(leaving))
    lu.assertEquals(rollout.pod_state(leaving), "terminating")
    lu.assertNil(rollout.pod_problem(leaving, 1000))
end

function tests.records_pending_and_deployed_are_told_apart()
    local history = { { revision = 1, status = "superseded" }, { revision = 2, status = "deployed" },
        { revision = 3, status = "pending-upgrade" } }
    lu.assertEquals(records.deployed(history).revision, 2)
    lu.assertTrue(records.is_pending(history[3]))
    lu.assertFalse(records.is_pending(history[2]))
    lu.assertNil(records.deployed({}))
end

local function image_in(folder, changes)
    return tables.merge({ name = "x", context = folder, dockerfile = folder .. "/Dockerfile",
        args = { B = "1" }, bases = { "a" } }, changes or {})
end

function tests.tag_follows_everything_that_goes_into_an_image()
    local dir <close> = fs.tempdir()
    fs.write(dir.path .. "/main.py", "print(1)\n")
    fs.write(dir.path .. "/.dockerignore", "*.log\n")
    fs.write(dir.path .. "/Dockerfile", "FROM a\n")
    local ids = { a = "sha256:1" }
    local tag = images.tag_of(image_in(dir.path), ids)
    lu.assertEquals(#tag, 12)
    lu.assertEquals(images.tag_of(image_in(dir.path), ids), tag)
    local seen = { [tag] = true }
    local function differs(other)
        lu.assertNil(seen[other])
        seen[other] = true
    end
    differs(images.tag_of(image_in(dir.path, { args = { B = "2" } }), ids))
    differs(images.tag_of(image_in(dir.path, { target = "build" }), ids))
    differs(images.tag_of(image_in(dir.path), { a = "sha256:2" }))
    fs.write(dir.path .. "/main.py", "print(2)\n")
    differs(images.tag_of(image_in(dir.path), ids))
    fs.write(dir.path .. "/main.py", "print(1)\n")
    fs.write(dir.path .. "/Dockerfile", "FROM a\nUSER 1\n")
    differs(images.tag_of(image_in(dir.path), ids))
    fs.write(dir.path .. "/Dockerfile", "FROM a\n")
    fs.write(dir.path .. "/debug.log", "noise\n")
    lu.assertEquals(images.tag_of(image_in(dir.path), ids), tag)
end

function tests.size_above_the_target_is_said()
    lu.assertNil(images.over_target({ name = "x", max_mb = 300 }, 299999999))
    lu.assertStrContains(images.over_target({ name = "x", max_mb = 300 }, 300000000), "below 300 MB")
end

-- A context as project.open makes it, around a folder of its own.
local function context(dir, layers, options)
    local config = assert(load(program.resource("lua/config.lua")))()
    local store = secret.store(dir .. "/secrets")
    return {
        options = tables.merge({ set = {}, values = {} }, options or {}), config = config, root = program.project,
        value_layers = tables.map(layers, function(values) return { name = "layer.lua", values = values } end), secrets = function() return store end,
        provider = { url = function() return "http://10.0.0.7:30080" end },
        database = { url = secret.new("postgresql+asyncpg://u:pw-of-the-database@h/d"),
            pg_url = secret.new("postgresql://u:pw-of-the-database@h/d") },
    }
end

local built = { { component = "frontend", name = "todo-frontend", tag = "abc" },
    { component = "backend", name = "todo-backend", tag = "def" } }

local function merged_values(ctx)
    return stack.chart(ctx):merge(stack.release_values(ctx, built))
end

function tests.values_of_a_deploy_hold_tags_secrets_and_origins()
    local dir <close> = fs.tempdir()
    local values = merged_values(context(dir.path))
    lu.assertEquals(values.frontend.image, { repository = "todo-frontend", tag = "abc" })
    lu.assertEquals(values.backend.image.tag, "def")
    lu.assertEquals(values.mcp.image.tag, "latest")
    lu.assertStrContains(values.frontend.env.BETTER_AUTH_TRUSTED_ORIGINS, "http://localhost:30080")
    lu.assertStrContains(values.frontend.env.BETTER_AUTH_TRUSTED_ORIGINS, "http://10.0.0.7:30080")
    lu.assertEquals(values.frontend.env.NEXT_PUBLIC_API_URL, "http://localhost:30080")
end

function tests.values_generated_secret_is_kept()
    local dir <close> = fs.tempdir()
    local first = stack.release_values(context(dir.path), built).values.secrets.betterAuthSecret
    local second = stack.release_values(context(dir.path), built).values.secrets.betterAuthSecret
    lu.assertEquals(first:reveal(), second:reveal())
    lu.assertEquals(#secret.unbase64(first:reveal()), 32)
    lu.assertEquals(fs.stat(dir.path .. "/secrets").mode & 511, 384) -- 0600
end

function tests.values_of_the_user_win_over_the_deploys()
    local dir <close> = fs.tempdir()
    local ctx = context(dir.path, { { backend = { image = { tag = "pinned" } } },
        function(values)
            values.backend.replicaCount = values.backend.replicaCount + 1
            return values
        end }, { set = { "mcp.image.tag=mine" } })
    local values = merged_values(ctx)
    lu.assertEquals(values.backend.image.tag, "pinned")
    lu.assertEquals(values.backend.replicaCount, 2)
    lu.assertEquals(values.frontend.image.tag, "abc")
    lu.assertEquals(values.mcp.image.tag, "mine")
end

function tests.values_namespace_of_the_user_is_where_it_goes()
    local dir <close> = fs.tempdir()
    local ctx = context(dir.path, { { global = { namespace = "elsewhere" } } })
    stack.values(ctx)
    lu.assertEquals(ctx.config.namespace, "elsewhere")
end

function tests.values_switched_off_component_is_not_built()
    local dir <close> = fs.tempdir()
    local ctx = context(dir.path, { { mcp = { enabled = false } } })
    local names = tables.map(images.list(ctx, stack.values(ctx)), function(image) return image.component end)
    lu.assertEquals(names, { "frontend", "backend" })
end

function tests.values_missing_file_is_named()
    local dir <close> = fs.tempdir()
    local ok, problem = pcall(stack.values, context(dir.path, {}, { values = { "/no/such.yaml" } }))
    lu.assertFalse(ok)
    lu.assertStrContains(problem.message, "/no/such.yaml does not exist")
end

function tests.values_render_with_every_object_of_the_plan()
    local dir <close> = fs.tempdir()
    local ctx = context(dir.path)
    local options = tables.merge(stack.release_values(ctx, built), { release = "todo-app", namespace = "todo-app" })
    local rendered = stack.chart(ctx):render(options)
    local names = tables.map(rendered.manifests, function(m) return m.kind .. "/" .. m.object.metadata.name end)
    table.sort(names)
    lu.assertEquals(names, {
        "ConfigMap/todo-app-config", "Deployment/todo-app-backend", "Deployment/todo-app-frontend",
        "Deployment/todo-app-mcp", "Secret/todo-app-secret", "Service/todo-app-backend", "Service/todo-app-frontend",
        "Service/todo-app-mcp",
    })
end

function tests.values_missing_secret_says_how_to_give_it()
    local ok, problem = pcall(function()
        return chart.load(program.project .. "/chart"):render({ values = { secrets = { betterAuthSecret = "x" } } })
    end)
    lu.assertFalse(ok)
    lu.assertStrContains(problem.message, "--set secrets.databaseUrl=")
end

function tests.rollout_deadline_missed_before_the_waiting_began_is_not_held_against_it()
    local workload = { kind = "Deployment", metadata = { name = "a", generation = 1, uid = "u" }, spec = { replicas = 1 },
        status = { observedGeneration = 1, conditions = { { type = "Progressing", status = "False",
            reason = "ProgressDeadlineExceeded", lastUpdateTime = "2026-11-24T04:00:00Z" } } } }
    local seen = { workloads = { workload }, replicasets = {}, pods = {} }
    local missed = 1795492800 -- 2026-11-24T04:00:00Z
    lu.assertEquals(rollout.judge(seen, missed + 9, missed)[1].problem.reason, "ProgressDeadlineExceeded")
    lu.assertNil(rollout.judge(seen, missed + 9, missed + 1)[1].problem)
end

local OLD, NEW, MANIFEST = ("a"):rep(64), ("b"):rep(64), ("c"):rep(64)

local function running_pod(name, image, image_id, is_ready)
    return {
        metadata = { name = name }, spec = { containers = { { name = "app", image = image } } },
        status = { conditions = { { type = "Ready", status = is_ready == false and "False" or "True" } },
            containerStatuses = { { name = "app", image = "another/name:1", imageID = image_id } } },
    }
end

function tests.pods_that_run_an_older_image_of_the_name_are_found()
    local images_built = { ["todo-mcp:dev"] = { name = "todo-mcp:dev", id = NEW,
        digests = { [NEW] = true, [MANIFEST] = true } } }
    local pods = {
        running_pod("stale", "todo-mcp:dev", "sha256:" .. OLD),
        running_pod("fresh", "todo-mcp:dev", "docker://sha256:" .. NEW),
        running_pod("pulled", "todo-mcp:dev", "registry.test/todo-mcp@sha256:" .. MANIFEST),
        running_pod("untold", "todo-mcp:dev", nil),
        running_pod("starting", "todo-mcp:dev", "sha256:" .. OLD, false),
        running_pod("foreign", "postgres:17", "sha256:" .. OLD),
    }
    local found = tables.map(running_images.stale(pods, images_built), function(one) return one.pod end)
    lu.assertEquals(found, { "stale", "untold" })
end

return tests
