-- OpenPGP keys and signatures, by GnuPG in a private home folder of its own, so that the user's own settings of gpg
-- change nothing.
local fail = require "fail"
local fs = require "fs"
local proc = require "proc"
local task = require "task"

local gnupg = {}

local SECONDS, AGENT_SECONDS = 60, 5

local Home = {}
Home.__index = Home

---@class todo.GnupgKey
---@field fingerprint string upper case
---@field id string the last 16 digits of it
---@field algorithm string OpenPGP's number
---@field expired boolean
---@field revoked boolean
---@field expires integer? seconds since 1970
---@field names string[] its user IDs
---@field has_secret boolean
---@field subkeys todo.GnupgKey[]

---@class todo.GnupgVerdict
---@field word "GOODSIG"|"BADSIG"|"EXPSIG"|"EXPKEYSIG"|"REVKEYSIG"|"ERRSIG"
---@field key string id of the key that signed
---@field fingerprint string? of its primary key, where the signature is right

local function run(self, arguments, options)
    local argv = { "gpg", "--homedir", self.path, "--no-options", "--batch", "--no-tty", "--quiet", "--lock-never",
        "--trust-model", "always", "--no-auto-check-trustdb", "--no-auto-key-retrieve", "--status-fd", "2" }
    if self.keyring then table.move({ "--no-default-keyring", "--keyring", self.keyring }, 1, 3, #argv + 1, argv) end
    table.move(arguments, 1, #arguments, #argv + 1, argv)
    return proc.run(argv, { check = false, timeout = SECONDS, stdin = options and options.stdin,
        env = { LC_ALL = "C", LANGUAGE = false, GNUPGHOME = false } })
end

-- GnuPG's reason, without the lines that are for programs.
local function reason_of(result)
    return result.stderr:match("gpg: ([^\n]+)") or ("gpg ended with status %d"):format(result.status)
end

-- Tag of the packet that a keyring begins with: 5 is a secret key.
local function first_tag(byte) return byte & 0x40 ~= 0 and byte & 0x3f or byte >> 2 & 0xf end

---Gives the keys of a keyring file to the home.
---@async
---@param path string classic keyring, of public or secret keys
function Home:load(path)
    local file = io.open(path, "rb")
    if not file then fail.raise("not_found", ("open %s: no such file or directory"):format(path)) end
    local first = file:read(1)
    file:close()
    if not first then return end
    if first:byte() < 0x80 then
        fail.raise("parse", "openpgp: invalid data: tag byte does not have MSB set",
            ("%s is no classic keyring: write one with gpg --export, or --export-secret-keys to sign"):format(path))
    end
    local absolute = fs.join(fs.cwd(), path)
    if first_tag(first:byte()) == 5 then
        run(self, { "--import", absolute })
    else
        self.keyring = absolute
    end
end

local function unescape(text)
    return (text:gsub("\\x(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- What `gpg --with-colons` lists (its file doc/DETAILS).
local function parse(text)
    local keys, newest = {}, nil
    for line in text:gmatch("[^\n]+") do
        local fields = {}
        for field in (line .. ":"):gmatch("([^:]*):") do fields[#fields + 1] = field end
        local kind = fields[1]
        if kind == "pub" or kind == "sec" or kind == "sub" or kind == "ssb" then
            local key = { id = fields[5], algorithm = fields[4], expired = fields[2] == "e", revoked = fields[2] == "r",
                expires = math.tointeger(tonumber(fields[7])), names = {}, subkeys = {}, has_secret = kind == "sec" }
            local is_primary = kind == "pub" or kind == "sec"
            newest = is_primary and keys or keys[#keys].subkeys
            table.insert(newest, key)
        elseif kind == "fpr" then
            newest[#newest].fingerprint = fields[10]
        elseif kind == "uid" then
            table.insert(keys[#keys].names, unescape(fields[10]))
        end
    end
    return keys
end

---@async
---@param which string? fingerprint or id; default all
---@return todo.GnupgKey[]
function Home:keys(which)
    return parse(run(self, { "--with-colons", "--list-keys", which }).stdout)
end

---@async
---@return table<string, boolean> fingerprints of the keys whose secret part is here
function Home:secret_keys()
    local found = {}
    for _, key in ipairs(parse(run(self, { "--with-colons", "--list-secret-keys" }).stdout)) do
        found[key.fingerprint] = true
    end
    return found
end

---Checks a clear-signed message.
---@async
---@param message string
---@return todo.GnupgVerdict[] one for each signature; none where there is no signature
---@return string text what is signed
function Home:verify(message)
    local result, verdicts = run(self, { "--output", "-", "--verify" }, { stdin = message }), {}
    for word, rest in result.stderr:gmatch("%[GNUPG:%] (%u+) ([^\n]*)") do
        if word == "VALIDSIG" then
            verdicts[#verdicts].fingerprint = rest:match("(%x+)%s*$")
        elseif word:find "SIG$" and rest:find "^%x+ " then
            verdicts[#verdicts + 1] = { word = word, key = rest:match("^%x+") }
        end
    end
    return verdicts, result.stdout
end

---Signs a text in the clear with a primary key.
---@async
---@param text string
---@param key todo.GnupgKey
---@param passphrase todo.Secret?
---@return string? message nil where the passphrase is wrong or missing
function Home:sign(text, key, passphrase)
    local path = self.path .. "/message"
    fs.write(path, text, 384) -- 0600
    local arguments = { "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--digest-algo", "SHA512",
        "--no-emit-version", "--local-user", key.fingerprint .. "!", "--output", "-", "--clear-sign", path }
    -- helm looks at no date; GnuPG signs with a key that has expired as of a time when it had not.
    if key.expired then
        table.move({ "--faked-system-time", ("%d!"):format(key.expires - 1) }, 1, 2, 1,
            table.move(arguments, 1, #arguments, 3))
    end
    local result = run(self, arguments, { stdin = passphrase or "\n" })
    if result.status == 0 then return result.stdout end
    if result.stderr:find("Bad passphrase", 1, true) or result.stderr:find("No passphrase", 1, true) then return nil end
    fail.raise("gnupg", "gpg does not sign: " .. reason_of(result),
        "gpg --list-secret-keys says what the key is good for")
end

-- The agent that gpg starts for secret keys ends with it; its last act is to remove its sockets.
local function close(self)
    if self.closed then return end
    self.closed = true
    if proc.which("gpgconf") then
        for _, words in ipairs { { "--kill", "gpg-agent" }, { "--remove-socketdir" } } do
            proc.run({ "gpgconf", "--homedir", self.path, table.unpack(words) }, { check = false, timeout = SECONDS })
        end
    end
    local deadline = task.now() + AGENT_SECONDS
    while fs.exists(self.path .. "/S.gpg-agent") and task.now() < deadline do task.sleep(0.02) end
    self.temporary:close()
end

---Calls fn with a home folder that is removed afterwards.
---@async
---@param fn async fun(home: table): any
---@return any result
function gnupg.with_home(fn)
    if not proc.which("gpg") then
        fail.raise("not_found", "signatures are made and checked with GnuPG, which is not installed",
            "install it (apt-get install gnupg, dnf install gnupg2, brew install gnupg), then run again")
    end
    local temporary = fs.tempdir()
    local home = setmetatable({ temporary = temporary, path = temporary.path }, Home)
    task.defer(function() close(home) end)
    local ok, result = pcall(fn, home)
    close(home)
    if not ok then error(result, 0) end
    return result
end

return gnupg
