-- Columns as Go's tabwriter aligns them.
local lu = require "luaunit"
local tabwriter = require "tabwriter"

local tests = {}

local function aligned(text, options)
    local out = {}
    local writer = tabwriter.new(function(part) out[#out + 1] = part end, options)
    writer:text(text)
    writer:flush()
    return table.concat(out)
end

function tests.columns_line_up_within_their_block()
    lu.assertEquals(aligned("NAME\tAGE\nlong-name\t5s\nx\t\n"), "NAME        AGE\nlong-name   5s\nx           \n")
    lu.assertEquals(aligned("a:\tb\nplain\nlonger:\tc\n", { min = 0, padding = 2, remember = false }), "a:  b\nplain\nlonger:  c\n")
    lu.assertEquals(aligned("ä\tb\nüüüüüüüü\tc"), "ä          b\nüüüüüüüü   c")
end

function tests.columns_keep_their_width_in_later_blocks()
    local out = {}
    local writer = tabwriter.new(function(part) out[#out + 1] = part end)
    writer:text("long-long-name\tx\n")
    writer:flush()
    writer:text("y\tz\n")
    writer:flush()
    writer:forget()
    writer:text("y\tz\n")
    writer:flush()
    lu.assertEquals(out, { "long-long-name   x\n", "y                z\n", "y     z\n" })
end

return tests
