-- Backend cannot reach the MCP server: MCP_SERVER_URL leads nowhere.
local signals = require "signals"

local refused = { "mcp.-connect", "mcp.-refused", "mcp.-name or service not known", "mcp.-unreachable", "mcp.-404" }

local function log_evidence(seen)
    for _, pod in ipairs(seen.pods) do
        if signals.component(pod) == "backend" then
            local line = signals.last_line(signals.log(seen, pod, "backend"), refused)
            if line then return line end
        end
    end
    return nil
end

return {
    name = "mcp_url",
    symptom = "Backend can't reach MCP",
    find = function(seen)
        -- Where the component is switched off on purpose, a URL that leads to it is no fault.
        if not signals.named(seen.deployments, seen.release .. "-backend")
            or not signals.named(seen.deployments, seen.release .. "-mcp") then return {} end
        local given = seen.config.MCP_SERVER_URL
        local service = seen.release .. "-mcp"
        local problem = signals.url_problem(seen, given)
        local parts = signals.parse_url(given)
        if not problem and parts and signals.service_name(seen, parts.host) == service and parts.path ~= "/mcp"
            and parts.path ~= "/mcp/" then
            problem = ("the server answers at /mcp, not at %q"):format(parts.path)
        end
        if not problem then return {} end
        local live = signals.named(seen.services, service)
        local port = live and live.spec.ports[1].port or seen.ports.mcp
        local expected = ("http://%s:%d/mcp"):format(service, port)
        return { {
            object = ("configmap/%s-config"):format(seen.release),
            summary = "the backend cannot reach the MCP server",
            cause = ("MCP_SERVER_URL is %q: %s"):format(given or "", problem),
            evidence = { "MCP_SERVER_URL=" .. (given or ""), live and "Service " .. service .. " has port " .. port
                or "there is no Service " .. service, log_evidence(seen) },
            fix = {
                text = ("set it to %s (where your own values set config.mcpServerUrl, change it "
                    .. "there)"):format(expected),
                action = "deploy", set = { "config.mcpServerUrl=" .. expected }, restart = "backend",
            },
        } }
    end,
}
