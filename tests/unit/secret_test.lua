-- Module secret.
local fs = require "fs"
local lu = require "luaunit"
local secret = require "secret"

local tests = {}

function tests.secret_prints_masked_and_reveals_itself()
    local s = secret.new "the-password\0x"
    lu.assertEquals(tostring(s), "•••")
    lu.assertEquals(("%s"):format(s), "•••")
    lu.assertEquals(s:reveal(), "the-password\0x")
    lu.assertTrue(secret.is(s))
    lu.assertFalse(secret.is "text")
    lu.assertFalse(s:empty())
    lu.assertTrue(secret.new(""):empty())
end

function tests.secret_equality_is_of_texts()
    lu.assertTrue(secret.new "same-text" == secret.new "same-text")
    lu.assertFalse(secret.new "same-text" == secret.new "same-texT")
    lu.assertFalse(secret.new "same-text" == "same-text")
end

function tests.secret_concatenation_stays_secret()
    local url = "postgres://user:" .. secret.new "pw-of-user" .. "@host/db"
    lu.assertTrue(secret.is(url))
    lu.assertEquals(url:reveal(), "postgres://user:pw-of-user@host/db")
    lu.assertFalse(pcall(function() return secret.new "x" .. {} end))
end

function tests.redact_hides_every_form()
    local _ = secret.new "s3cret value"
    lu.assertEquals(secret.redact "a s3cret value b", "a ••• b")
    lu.assertEquals(secret.redact "q=s3cret%20value&r=s3cret+value", "q=•••&r=•••")
    lu.assertEquals(secret.redact("x " .. secret.base64 "s3cret value"), "x •••")
    lu.assertNotStrContains(secret.redact(secret.base64 "user:s3cret value"), "czNjcmV0IHZhbHVl")
end

function tests.random_gives_fresh_base64()
    local a, b = secret.random(), secret.random()
    lu.assertFalse(a == b)
    lu.assertEquals(#secret.unbase64(a:reveal()), 32)
    lu.assertEquals(#secret.unbase64(secret.random(5):reveal()), 5)
    lu.assertFalse(pcall(secret.random, 0))
end

function tests.sha256_of_text_and_secret()
    local abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    lu.assertEquals(secret.sha256 "abc", abc)
    lu.assertEquals(secret.sha256(secret.new "abc"), abc)
end

function tests.unbase64_refuses_other_text()
    lu.assertEquals(secret.unbase64 "AP8=", "\0\xff")
    local ok, err = pcall(secret.unbase64, "a b")
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "parse")
end

function tests.base64_of_a_secret_is_secret()
    local encoded = secret.base64(secret.new "abcdefgh")
    lu.assertTrue(secret.is(encoded))
    lu.assertEquals(encoded:reveal(), "YWJjZGVmZ2g=")
end

function tests.store_keeps_and_removes()
    local dir <close> = fs.tempdir()
    local path = fs.join(dir.path, "secrets.json")
    local store = secret.store(path)
    lu.assertNil(store:get "db")
    store:set("db", "postgres-password")
    store:set("api", secret.new "api-key-of-somebody")
    lu.assertEquals(fs.stat(path).mode, tonumber("600", 8))
    local again = secret.store(path)
    lu.assertEquals(again:names(), { "api", "db" })
    lu.assertEquals(again:get("db"):reveal(), "postgres-password")
    again:set("db", nil)
    lu.assertEquals(secret.store(path):names(), { "api" })
    lu.assertEquals(secret.redact "api-key-of-somebody", "•••")
    store:close()
    store:close()
    lu.assertFalse(pcall(store.get, store, "db"))
end

function tests.store_that_others_may_read_is_refused()
    local dir <close> = fs.tempdir()
    local path = fs.join(dir.path, "secrets.json")
    fs.write(path, "{}", tonumber("644", 8))
    local ok, err = pcall(secret.store, path)
    lu.assertFalse(ok)
    lu.assertEquals(err.kind, "denied")
    lu.assertStrContains(err.hint, "chmod 600")
end

return tests
