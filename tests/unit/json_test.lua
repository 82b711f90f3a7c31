-- Module json.
local json = require "json"
local lu = require "luaunit"
local secret = require "secret"

local tests = {}

function tests.decode_keeps_order_integers_and_nul()
    local text = '{"z":9007199254740993,"a":[],"m":{},"n":null,"s":"x\\u0000y","f":1.5}'
    local value = json.decode(text)
    lu.assertEquals(math.type(value.z), "integer")
    lu.assertEquals(value.z, 9007199254740993)
    lu.assertEquals(value.s, "x\0y")
    lu.assertTrue(rawequal(value.n, json.null))
    lu.assertEquals(json.encode(value), text)
end

function tests.encode_puts_new_keys_last_and_sorted()
    local value = json.decode '{"b":1,"a":2}'
    value.d, value.c, value.b = 4, 3, nil
    lu.assertEquals(json.encode(value), '{"a":2,"c":3,"d":4}')
    lu.assertEquals(json.encode({ b = 1, a = 2 }), '{"a":2,"b":1}')
end

function tests.encode_options_indent_and_sort()
    local value = json.decode '{"b":[1,{}],"a":"<&>"}'
    lu.assertEquals(json.encode(value, { indent = "  ", sort = true }),
        '{\n  "a": "<&>",\n  "b": [\n    1,\n    {}\n  ]\n}')
end

function tests.list_marks_an_empty_table()
    lu.assertEquals(json.encode({ list = json.list(), map = {} }), '{"list":[],"map":{}}')
    lu.assertTrue(json.is_list(json.list {}))
    lu.assertTrue(json.is_list { 1 })
    lu.assertFalse(json.is_list { a = 1 })
    lu.assertTrue(json.is_list(json.decode "[]"))
    lu.assertFalse(json.is_list(json.decode "{}"))
end

function tests.decode_error_has_line_and_column()
    local ok, err = pcall(json.decode, '{"a":1,\n "b" 2}')
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "parse")
    lu.assertStrContains(err.message, "2:6: invalid character '2' after object key")
end

function tests.encode_refuses_what_has_no_form()
    for _, value in ipairs { print, { a = { print } }, 0 / 0, math.huge } do
        lu.assertFalse(pcall(json.encode, value))
    end
    local cycle = {}
    cycle.a = cycle
    lu.assertFalse(pcall(json.encode, cycle))
end

function tests.encode_secret_only_when_told()
    local value = { password = secret.new "hidden-password-1" }
    local ok, err = pcall(json.encode, value)
    lu.assertFalse(ok)
    lu.assertStrContains(err.message, "password")
    lu.assertEquals(json.encode(value, { secrets = "mask" }), '{"password":"•••"}')
    lu.assertEquals(json.encode(value, { secrets = "reveal" }), '{"password":"hidden-password-1"}')
    lu.assertFalse(pcall(json.encode, value, { secrets = "show" }))
end

function tests.bytes_that_are_not_utf8_become_replacements()
    lu.assertEquals(json.encode "a\xffb", '"a\\ufffdb"')
    lu.assertEquals(json.decode '"\xff"', "\xEF\xBF\xBD")
end

return tests
