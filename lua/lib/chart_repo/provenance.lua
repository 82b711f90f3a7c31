-- Provenance: the .prov file beside a chart's archive tells who packed it, and what its digest is
-- (helm.sh/helm/v3/pkg/provenance).
local chart = require "chart"
local fail = require "fail"
local fs = require "fs"
local gnupg = require "chart_repo.gnupg"
local secret = require "secret"
local session = require "release.session"
local term = require "term"
local yaml = require "yaml"

local provenance = {}

local BEGIN, END = "-----BEGIN PGP SIGNED MESSAGE-----", "\n-----END PGP SIGNATURE-----"
local PARTS = "\n...\n" -- between what Chart.yaml says and the digests: "---" would have to be escaped
local MOST_BYTES = 4 << 20

---@class todo.Verification
---@field names string[] user IDs of the key
---@field fingerprint string of the primary key
---@field digest string "sha256:…" of the archive

---Where the keys are that a command line names none for.
---@param options table
---@return string
function provenance.keyring(options)
    if options.keyring then return options.keyring end
    return (os.getenv("GNUPGHOME") or (os.getenv("HOME") or "") .. "/.gnupg") .. "/pubring.gpg"
end

-- ---- checking ----

local function must_exist(path)
    return fs.stat(path) or fail.raise("not_found", ("stat %s: no such file or directory"):format(path))
end

-- A message's text and signature, without its headers: they may name the digest, which the signature tells itself.
-- nil where they say more.
local function without_headers(message)
    for line, place in message:gmatch("\n([^\n]*)()") do
        if not line:find("%S") then return message:sub(place) end
        if not line:find("^%s*Hash%s*:") then return nil end
    end
end

-- The signed message alone; what stands around it is nobody's.
local function message_of(path)
    if fs.stat(path).size > MOST_BYTES then
        fail.raise("too_large", ("%s is larger than %d MiB: no provenance file"):format(path, MOST_BYTES >> 20))
    end
    local text = "\n" .. fs.read(path):gsub("\r\n", "\n")
    local first = text:find("\n" .. BEGIN .. "\n", 1, true)
    local _, last = text:find(END, first or 1, true)
    local rest = first and last and without_headers(text:sub(first + 1, last))
    if rest then return ("%s\nHash: SHA512, SHA384, SHA256, SHA224\n%s\n"):format(BEGIN, rest) end
    fail.raise("parse", "failed to decode signature: signature block not found")
end

local schemes = { ["1"] = "RSA", ["3"] = "RSA", ["17"] = "DSA", ["19"] = "ECDSA", ["22"] = "EdDSA" }

-- The key, or subkey, of this id.
local function part_of(key, id)
    for _, sub in ipairs(key.subkeys) do
        if sub.id == id then return sub end
    end
    return key
end

-- The key that vouches for the message; helm's order of what is wrong with it.
local function signer_of(home, verdicts)
    for _, verdict in ipairs(verdicts) do
        local key = home:keys("0x" .. verdict.key)[1]
        -- A signature of somebody unknown says nothing; that of the first known one counts.
        if key then
            local part = part_of(key, verdict.key)
            if not verdict.fingerprint then
                fail.raise("signature", ("openpgp: invalid signature: %s verification failure"):format(
                    schemes[part.algorithm] or "signature"))
            end
            if key.revoked or part.revoked then
                fail.raise("signature", "openpgp: signature made by revoked key")
            end
            if key.expired or part.expired then fail.raise("signature", "openpgp: key expired") end
            if verdict.word == "EXPSIG" then fail.raise("signature", "openpgp: signature expired") end
            return key
        end
    end
    if #verdicts == 0 then fail.raise("parse", "failed to decode signature: signature block not found") end
    fail.raise("signature", "openpgp: signature made by unknown entity")
end

local function digests_of(text)
    local _, after = text:find(PARTS, 1, true)
    if not after then fail.raise("parse", "message block must have at least two parts") end
    local listed = yaml.decode(text:sub(after + 1, (text:find(PARTS, after + 1, true))))
    return type(listed) == "table" and type(listed.files) == "table" and listed.files or {}
end

local function check_digest(path, text)
    local name, digest = fs.basename(path), "sha256:" .. fs.sha256(path)
    local listed = digests_of(text)[name]
    if not listed then
        fail.raise("signature", ('provenance does not contain a SHA for a file named "%s"'):format(name))
    end
    if listed ~= digest then
        fail.raise("digest", ('sha256 sum does not match for %s: "%s" != "%s"'):format(name, listed, digest))
    end
    return digest
end

local function load_keyring(home, keyring)
    local ok, problem = pcall(home.load, home, keyring)
    if not ok then
        fail.raise(fail.kind(problem), "failed to load keyring: " .. fail.message(problem), fail.field(problem, "hint"))
    end
end

---Checks an archive against the .prov file beside it.
---@async
---@param path string
---@param keyring string
---@return todo.Verification
function provenance.verify(path, keyring)
    if must_exist(path).type == "dir" then fail.raise("usage", "unpacked charts cannot be verified") end
    if not path:lower():find("%.tgz$") then fail.raise("usage", "chart must be a tgz file") end
    local proof = path .. ".prov"
    local stat = fs.stat(proof)
    if not stat then
        fail.raise("not_found", ("could not load provenance file %s: stat %s: no such file or directory"):format(proof,
            proof))
    end
    return gnupg.with_home(function(home)
        load_keyring(home, keyring)
        if stat.type == "dir" then fail.raise("usage", proof .. " cannot be a directory") end
        local verdicts, text = home:verify(message_of(proof))
        local key = signer_of(home, verdicts)
        return { names = key.names, fingerprint = key.fingerprint, digest = check_digest(path, text) }
    end)
end

---What helm says of a chart that was verified.
---@param verification todo.Verification
---@return string
function provenance.report(verification)
    local lines = {}
    for index, name in ipairs(verification.names) do lines[index] = ("Signed by: %s\n"):format(name) end
    return table.concat(lines) .. ("Using Key With Fingerprint: %s\nChart Hash Verified: %s\n"):format(
        verification.fingerprint, verification.digest)
end

---What a download does about provenance.
---@class todo.Proof
---@field strategy "always"|"if_possible"|"later" later: the file is fetched, not checked
---@field keyring string
---@field say fun(text: string) takes what helm prints

---Fetches the .prov file of an archive that was just written, and checks it as the command line says.
---@async
---@param path string of the archive
---@param url string that it came from
---@param reference string as the user names the chart
---@param proof todo.Proof
---@param get async fun(): string the .prov file
---@return todo.Verification?
function provenance.attest(path, url, reference, proof, get)
    local ok, text = pcall(get)
    if not ok then
        if fail.kind(text) == "cancelled" then error(text, 0) end
        if proof.strategy == "always" then
            fail.raise("not_found", ('failed to fetch provenance "%s.prov"'):format(url))
        end
        proof.say(("WARNING: Verification not found for %s: %s\n"):format(reference, fail.message(text)))
        return nil
    end
    fs.write(path .. ".prov", text)
    return proof.strategy ~= "later" and provenance.verify(path, proof.keyring) or nil
end

-- ---- signing ----

-- The key whose user ID is this or, where there is none, contains it.
local function find_key(keys, id)
    local candidate, vague
    for _, key in ipairs(keys) do
        for _, name in ipairs(key.names) do
            if name == id then return key end
            if name:find(id, 1, true) then
                vague = vague or candidate ~= nil
                candidate = key
            end
        end
    end
    if vague then fail.raise("usage", ('more than one key contain the id "%s"'):format(id)) end
    return candidate
end

-- The first line of a file, or of what is piped in.
local function read_passphrase(path)
    local file = io.stdin
    if path ~= "-" then
        file = io.open(path, "rb") or fail.raise("not_found", ("open %s: no such file or directory"):format(path))
    elseif term.is_tty "stdin" or (fs.stat "/dev/stdin" or {}).type ~= "other" then
        fail.raise("usage", "specified reading passphrase from stdin, without input on stdin")
    end
    local line = file:read("L")
    if path ~= "-" then file:close() end
    if not line then fail.raise("usage", "EOF") end
    return secret.new((line:gsub("\r?\n$", "")))
end

local function message_for(path)
    return session.yaml(chart.load(path).metadata) .. PARTS
        .. session.yaml { files = { [fs.basename(path)] = "sha256:" .. fs.sha256(path) } } .. "\n"
end

---Signs an archive: writes the .prov file beside it.
---@async
---@param path string
---@param options { keyring: string, key: string, passphrase_file: string? }
function provenance.sign(path, options)
    local message = gnupg.with_home(function(home)
        home:load(options.keyring)
        local key = find_key(home:keys(), options.key)
        local given = options.passphrase_file
        local passphrase = given and given ~= "" and read_passphrase(given) or nil
        if not key then fail.raise("not_found", "private key not found") end
        if not home:secret_keys()[key.fingerprint] then
            fail.raise("usage", "provided key is not a private key. Try providing a keyring with secret keys")
        end
        local text = message_for(path)
        local message = home:sign(text, key, passphrase)
        if not message and not passphrase then
            local line = term.prompt(('Password for key "%s" >  '):format(key.names[1]), { hidden = true })
                or fail.raise("usage", "the key is locked, and there is no terminal to ask for its passphrase",
                    "name a file that holds it with --passphrase-file")
            message = home:sign(text, key, secret.new(line))
        end
        return message or fail.raise("denied", "openpgp: invalid data: private key checksum failure",
            "the passphrase is not the key's")
    end)
    fs.write(path .. ".prov", message)
end

return provenance
