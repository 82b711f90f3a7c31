-- Shows how far a provider is: one line of the board for each name, or whatever the caller gave.

---@param ctx todo.ClusterContext
---@return fun(name: string, text: string, done: number?, total: number?)
return function(ctx)
    if ctx.progress then return ctx.progress end
    if not ctx.board then return function() end end
    local lines = {}
    return function(name, text, done, total)
        lines[name] = lines[name] or ctx.board:line(name)
        local fraction = done and total and total > 0 and done / total or nil
        if fraction == 1 then
            lines[name]:done(text)
            lines[name] = nil
        else
            lines[name]:set(text, fraction)
        end
    end
end
