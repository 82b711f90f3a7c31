-- {{ hostRules .Values.hosts .Values.port }} and {{ slug "My Shop" }} in templates of this chart.
local text = require "text"

return {
    slug = text.slug,
    hostRules = function(hosts, port)
        local rules = {}
        for i, host in ipairs(hosts) do
            rules[i] = { host = host, http = { paths = { { path = "/", pathType = "Prefix",
                backend = { service = { name = text.slug(host), port = { number = port } } } } } } }
        end
        return rules
    end,
}
