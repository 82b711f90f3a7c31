-- helm install fails: the chart has an error, or the release ended badly.

local function from_lint(problem)
    return {
        object = "chart/" .. (problem.path or ""), summary = "the chart has an error", cause = problem.message,
        evidence = { problem.path },
        fix = { text = "mend the file; `todo-lua helm lint --kubernetes` on the chart's folder says the same" },
    }
end

local function from_record(seen)
    local record = seen.record
    if not record or record.status == "deployed" then return nil end
    local pending = record.status:find("^pending")
    return {
        object = "release/" .. seen.release,
        summary = ("revision %d of the release is %s"):format(record.revision, record.status),
        cause = pending and "the program that worked on it was ended, or still works" or record.description
            or "it failed",
        evidence = { record.description },
        fix = { text = "deploy again: it takes up where the last run stopped", action = "deploy" },
    }
end

return {
    name = "chart",
    symptom = "helm install fails",
    find = function(seen)
        local findings = {}
        for _, problem in ipairs(seen.chart) do
            if problem.severity == "error" then findings[#findings + 1] = from_lint(problem) end
        end
        findings[#findings + 1] = from_record(seen)
        return findings
    end,
}
