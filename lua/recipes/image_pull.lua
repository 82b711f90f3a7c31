-- Pod in ImagePullBackOff: the image is not where the cluster looks for it.
local signals = require "signals"

local reasons = {
    ErrImagePull = true, ImagePullBackOff = true, ErrImageNeverPull = true, InvalidImageName = true,
    ImageInspectError = true, RegistryUnavailable = true,
}

-- What the container runtime says, and what it means.
local meanings = {
    { "no such host", "the registry's name cannot be resolved: this machine or the node has no network or no DNS" },
    { "x509", "the registry's certificate is not trusted by the node" },
    { "toomanyrequests", "the registry has had too many requests from this address" },
    { "401 unauthorized", "the registry wants a login" },
    { "pull access denied", "no registry has an image of that name that may be read without a login" },
    { "no match for platform", "the image was built for another processor" },
    { "content digest", "the image was loaded without all of its parts" },
    { "i/o timeout", "the registry does not answer" },
    { "connection refused", "the registry does not answer" },
    { "manifest unknown", "the registry has no such tag" },
    { "not found", "the registry has no such image or tag" },
    { "not present with pull policy of never", "the image is not on the node, and it must not be pulled" },
}

local function meaning(message)
    local lower = message:lower()
    for _, entry in ipairs(meanings) do
        if lower:find(entry[1], 1, true) then return entry[2] end
    end
    return "it cannot be pulled"
end

local function image_of(pod, name)
    for _, field in ipairs { "initContainers", "containers" } do
        for _, container in ipairs(pod.spec[field] or {}) do
            if container.name == name then return container.image end
        end
    end
    return "?"
end

local function explain(seen, pod, status, waiting)
    local image = image_of(pod, status.name)
    local event = signals.latest_event(seen, pod.metadata.name, "^Failed$", "^Failed to pull") or ""
    local message = event .. " " .. (waiting.message or "")
    local built = seen.images[image]
    local cause = built
        and ("%s is built on this machine, but the cluster's node does not have it"):format(image)
        or ("%s is neither on the node nor built on this machine; %s"):format(image, meaning(message))
    if waiting.reason == "InvalidImageName" then cause = ("%q is no image name"):format(image) end
    return {
        object = "pod/" .. pod.metadata.name,
        summary = ("%s waits for its image (%s)"):format(status.name, waiting.reason),
        cause = cause,
        evidence = { event ~= "" and event
            or ("container %s: %s: %s"):format(status.name, waiting.reason, waiting.message or "") },
        fix = { text = "build what is missing, bring it into the cluster and let the release use it",
            action = "deploy" },
    }
end

return {
    name = "image_pull",
    symptom = "Pod in ImagePullBackOff",
    find = function(seen)
        local findings = {}
        for _, pod in ipairs(signals.unready(seen)) do
            for _, status in ipairs(signals.containers(pod)) do
                local waiting = signals.waiting(status)
                if waiting and reasons[waiting.reason] then
                    findings[#findings + 1] = explain(seen, pod, status, waiting)
                end
            end
        end
        return findings
    end,
}
