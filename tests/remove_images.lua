-- Removes what tests have left of an image, whatever its tag.
---@async
---@param client todo.Docker
---@param name string without a tag
return function(client, name)
    for _, image in ipairs(client:images { filters = { reference = { name } } }) do
        for _, tag in ipairs(image.RepoTags or {}) do client:remove_image(tag, { force = true }) end
    end
end
