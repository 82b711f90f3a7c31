-- Where a provider says how far it is: nowhere, unless the caller listens.

---@param ctx todo.ClusterContext
---@return fun(name: string, text: string, done: number?, total: number?)
return function(ctx)
    return ctx.progress or function() end
end
