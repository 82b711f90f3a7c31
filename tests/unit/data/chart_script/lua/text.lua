-- Shared by both files of the chart.
local text = {}

function text.slug(name) return (name:lower():gsub("[^%w]+", "-")) end

return text
