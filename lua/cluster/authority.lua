-- What tells one cluster's certificate authority from another's.
local secret = require("secret")

---Hex SHA-256 of the certificates (DER, one after the other) in PEM text, as k8s.contexts gives it for a context.
---@param pem string
---@return string
return function(pem)
    local parts = {}
    for body in pem:gmatch("%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-%s(.-)%-%-%-%-%-END CERTIFICATE%-%-%-%-%-") do
        parts[#parts + 1] = secret.unbase64((body:gsub("%s", "")))
    end
    return secret.sha256(table.concat(parts))
end
