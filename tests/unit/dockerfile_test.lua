-- What is read in Dockerfiles before a build.
local dockerfile = require "dockerfile"
local lu = require "luaunit"
local tables = require "tables"

local tests = {}

function tests.instructions_are_joined_and_comments_left_out()
    lu.assertEquals(dockerfile.instructions(
        "# syntax=docker/dockerfile:1\r\n\r\nFROM scratch\r\nRUN a \\\n  # why\n\n  b\\\n  c\n  COPY x y"),
        { "FROM scratch", "RUN a   b  c", "COPY x y" })
end

function tests.instructions_follow_the_escape_directive()
    lu.assertEquals(dockerfile.instructions("# escape=`\nRUN a `\n b\nRUN c\\\nRUN d\n"), { "RUN a  b", "RUN c\\", "RUN d" })
    lu.assertEquals(dockerfile.instructions("FROM a\n# escape=`\nRUN a \\\nb"), { "FROM a", "RUN a b" })
end

function tests.instructions_do_not_look_into_here_documents()
    lu.assertEquals(dockerfile.instructions(
        "RUN <<EOF\nRUN --mount=type=secret,id=x no\nEOF\nCOPY <<-'A' <<B /x/\n\tRUN a\n\tA\nRUN b\nB\nENV A=1<<2\n"),
        { "RUN <<EOF", "COPY <<-'A' <<B /x/", "ENV A=1<<2" })
end

local function described(text)
    return tables.map(dockerfile.mounts(text), function(mount)
        return ("%s %s%s"):format(mount.type, mount.id, mount.required and " required" or "")
    end)
end

function tests.mounts_have_their_type_and_id()
    lu.assertEquals(described [[
FROM scratch
RUN --mount=type=secret,id=npm,target=/root/.npmrc --mount=type=ssh npm ci
run --network=none --mount=type=secret,target=/run/keys/token,required cat x
RUN --mount=type=secret,required=false,id=a --mount=required=true,type=ssh,id=git x
RUN --mount=type=cache,target=/root/.cache --mount=target=. x
RUN echo --mount=type=secret,id=none
COPY --from=a --mount=type=secret,id=none / /
ENV A="RUN --mount=type=secret,id=none"
]], { "secret npm", "ssh default", "secret token required", "secret a", "ssh git required", "cache .cache", "bind ." })
    lu.assertEquals(described "RUN --mount=type=secret,id=x", { "secret x" })
    lu.assertEquals(described "", {})
end

return tests
