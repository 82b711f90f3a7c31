-- Functions around steps. Each gets the step as `next` and decides when, or whether, to call it.
local fs = require "fs"
local log = require "log"
local proc = require "proc"
local task = require "task"

-- One line for every step: how long it took, and whether anything changed.
local function timed(name)
    return function(next_step, ctx, line)
        local started = task.now()
        local changed, text = next_step(ctx, line)
        fs.append(fs.join(ctx.state_dir, "timing.csv"),
            ("%d,%s,%.2f,%s\n"):format(os.time(), name, task.now() - started, tostring(changed)))
        return changed, text
    end
end

-- The backend's sources must at least compile before an image is made of them.
local function checked_build(next_step, ctx, image)
    if image.component == "backend" then
        log.info("  compiling %s", image.context)
        proc.run({ "python3", "-m", "compileall", "-q", image.context })
    end
    return next_step(ctx, image)
end

return {
    steps = {
        build = checked_build,
        cluster = timed "cluster",
        images = timed "images",
        release = timed "release",
        wait = timed "wait",
    },
}
