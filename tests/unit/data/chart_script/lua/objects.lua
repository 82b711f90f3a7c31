-- Labels every object with its team, and makes a quota for the namespace.
return function(objects, values, release)
    for _, object in ipairs(objects) do
        if object.kind ~= "ConfigMap" then
            object.metadata.labels = object.metadata.labels or {}
            object.metadata.labels.team = values.team
        end
    end
    objects[#objects + 1] = { apiVersion = "v1", kind = "ResourceQuota",
        metadata = { name = release.Name .. "-quota" }, spec = { hard = { pods = #values.hosts * 10 } } }
    return objects
end
