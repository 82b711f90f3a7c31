-- Module yaml.
local json = require "json"
local lu = require "luaunit"
local secret = require "secret"
local yaml = require "yaml"

local tests = {}

function tests.decode_reads_as_helm_does()
    local value = yaml.decode "b: yes\na: 010\nz: ~\nl: []\ns: '1'\nf: 1.5\nd: 2024-01-02\n"
    lu.assertEquals(json.encode(value), '{"b":true,"a":8,"z":null,"l":[],"s":"1","f":1.5,"d":"2024-01-02"}')
end

function tests.decode_core_reads_yaml_1_2()
    local value = yaml.decode("b: yes\na: 010\no: 0o17\n", { core = true })
    lu.assertEquals(json.encode(value), '{"b":"yes","a":10,"o":15}')
end

function tests.decode_resolves_anchors_and_merges()
    local value = yaml.decode "base: &b {p: 1, q: 2}\nuse:\n  <<: *b\n  p: 3\n"
    lu.assertEquals(value.use, { p = 3, q = 2 })
    value.use.q = 5
    lu.assertEquals(value.base.q, 2)
end

function tests.decode_nothing_gives_nil()
    lu.assertNil(yaml.decode "")
    lu.assertNil(yaml.decode "# a comment\n")
    lu.assertTrue(rawequal(yaml.decode "null", json.null))
end

function tests.decode_all_leaves_empty_documents_out()
    local documents = yaml.decode_all "---\na: 1\n---\n# none\n---\nb: 2\n"
    lu.assertEquals(#documents, 2)
    lu.assertEquals(documents[2].b, 2)
    lu.assertTrue(json.is_list(yaml.decode_all ""))
end

function tests.decode_error_names_file_line_and_column()
    local ok, err = pcall(yaml.decode, "a: 1\nb: [1,\nc: 2\n", { name = "values.yaml" })
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "parse")
    lu.assertStrMatches(err.message, "values.yaml:%d+:%d+: did not find expected ',' or ']'.*")
end

function tests.encode_keeps_order_or_sorts_naturally()
    local value = yaml.decode "z: 1\na10: 2\na2: 3\n"
    lu.assertEquals(yaml.encode(value), "z: 1\na10: 2\na2: 3\n")
    lu.assertEquals(yaml.encode(value, { sort = true }), "a2: 3\na10: 2\nz: 1\n")
end

function tests.encode_writes_as_kubernetes_does()
    local value = { args = { "-c", "yes", "1.20", "a: b", "two\nlines\n" }, empty = json.list(), none = json.null }
    lu.assertEquals(yaml.encode(value), [[
args:
- -c
- "yes"
- "1.20"
- 'a: b'
- |
  two
  lines
empty: []
none: null
]])
end

function tests.encode_all_puts_marks_between()
    lu.assertEquals(yaml.encode_all { { a = 1 }, { b = 2 } }, "a: 1\n---\nb: 2\n")
    lu.assertEquals(yaml.encode_all {}, "")
end

function tests.encode_secret_only_when_told()
    local value = { { token = secret.new "hidden-token-1" } }
    local ok, err = pcall(yaml.encode, value)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "usage")
    lu.assertStrContains(err.message, "token")
    lu.assertEquals(yaml.encode(value, { secrets = "mask" }), "- token: •••\n")
    lu.assertEquals(yaml.encode(value, { secrets = "reveal" }), "- token: hidden-token-1\n")
end

function tests.round_trip_of_nul_and_odd_bytes()
    local text = "x\0y\tz"
    lu.assertEquals(yaml.decode(yaml.encode { s = text }).s, text)
    lu.assertEquals(yaml.encode { s = "a\xffb" }, "s: a\xEF\xBF\xBDb\n")
end

return tests
