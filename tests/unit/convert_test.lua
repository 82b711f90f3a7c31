-- Between Lua's tables and the value tree, seen through module json.
local json = require "json"
local lu = require "luaunit"
local secret = require "secret"

local tests = {}

local function refused(value, part, options)
    local ok, err = pcall(json.encode, value, options)
    lu.assertFalse(ok)
    lu.assertStrContains(err.message, part)
    return err
end

function tests.decoded_keys_keep_their_order_and_new_ones_follow_sorted()
    local map = json.decode '{"zeta":1,"alpha":2,"mid":{"b":1,"a":2}}'
    lu.assertEquals(json.encode(map), '{"zeta":1,"alpha":2,"mid":{"b":1,"a":2}}')
    map.new, map.also, map.alpha = 4, 3, nil
    lu.assertEquals(json.encode(map), '{"zeta":1,"mid":{"b":1,"a":2},"also":3,"new":4}')
    map.alpha = 5
    lu.assertEquals(json.encode(map), '{"zeta":1,"alpha":5,"mid":{"b":1,"a":2},"also":3,"new":4}')
end

function tests.plain_tables_are_sorted()
    lu.assertEquals(json.encode { b = 1, a = 2, c = { 3 } }, '{"a":2,"b":1,"c":[3]}')
end

function tests.empty_lists_and_maps_stay_what_they_are()
    lu.assertEquals(json.encode(json.decode '{"l":[],"m":{}}'), '{"l":[],"m":{}}')
    lu.assertEquals(json.encode {}, "{}")
    lu.assertEquals(json.encode(json.list()), "[]")
    lu.assertTrue(json.is_list(json.decode "[]"))
    lu.assertFalse(json.is_list(json.decode "{}"))
    local emptied = json.decode "[1]"
    emptied[1] = nil
    lu.assertEquals(json.encode(emptied), "[]")
end

function tests.null_is_kept_and_compares_equal()
    local value = json.decode '[null,{"a":null}]'
    lu.assertTrue(value[1] == json.null)
    lu.assertEquals(json.encode(value), '[null,{"a":null}]')
    lu.assertEquals(json.encode(nil), "null")
end

function tests.numbers_keep_their_kind_and_digits()
    lu.assertEquals(json.encode(json.decode "[9007199254740993,-9223372036854775808,1.5,0]"),
        "[9007199254740993,-9223372036854775808,1.5,0]")
    lu.assertEquals(math.type(json.decode "1"), "integer")
    lu.assertEquals(math.type(json.decode "1.0"), "float")
    refused({ 0 / 0 }, "NaN")
    refused({ 1 / 0 }, "Inf")
end

function tests.nul_bytes_are_kept_in_texts_and_keys()
    lu.assertEquals(json.decode '"a\\u0000b"', "a\0b")
    lu.assertEquals(json.encode "a\0b", '"a\\u0000b"')
    local map = { ["k\0one"] = 1, ["k\0two"] = 2, k = 3 }
    lu.assertEquals(json.decode(json.encode(map)), map)
end

function tests.invalid_utf8_becomes_the_replacement_character()
    lu.assertEquals(json.decode(json.encode "a\xffb"), "a\u{fffd}b")
end

function tests.cycles_and_depth_are_refused()
    local cycle = {}
    cycle.self = cycle
    refused(cycle, "contains itself")
    local deep = {}
    for _ = 1, 300 do deep = { deep } end
    refused(deep, "too deeply")
    local shared = { 1 }
    lu.assertEquals(json.encode { shared, shared }, "[[1],[1]]")
end

function tests.what_has_no_text_form_is_refused_with_its_path()
    lu.assertStrContains(refused({ spec = { items = { 1, print } } }, "is a function").message, "spec.items[2]")
    refused({ a = coroutine.create(print) }, "is a coroutine")
    refused({ a = io.stdout }, "is a userdata")
    refused({ [true] = 1 }, "no string")
    refused({ 1, 2, x = 3 }, "other keys")
    refused({ 1, nil, 3, [7] = 1 }, "holes")
end

function tests.secrets_are_refused_masked_or_revealed_as_told()
    local value = { password = secret.new "hunter2-hunter2" }
    lu.assertStrContains(refused(value, "is a secret").message, "password")
    lu.assertEquals(json.encode(value, { secrets = "mask" }), '{"password":"•••"}')
    lu.assertEquals(json.encode(value, { secrets = "reveal" }), '{"password":"hunter2-hunter2"}')
    lu.assertFalse((pcall(json.encode, value, { secrets = "maybe" })))
end

function tests.large_documents_come_back_the_same()
    local list = json.list()
    for i = 1, 20000 do list[i] = { name = "item " .. i, value = i } end
    local text = json.encode(list)
    lu.assertEquals(json.encode(json.decode(text)), text)
end

return tests
