-- Leaves the MCP server out: neither built nor deployed. Everything but the chat works without it.
return {
    values = function(values)
        values.mcp.enabled = false
        -- What remains may use the memory.
        values.backend.resources.limits.memory = "768Mi"
        return values
    end,
}
