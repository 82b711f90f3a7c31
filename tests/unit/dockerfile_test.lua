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

local function bases(args, ...) return dockerfile.bases(table.concat({ ... }, "\n"), args) end

function tests.bases_leave_its_stages_out()
    lu.assertEquals(bases(nil, "ARG V=1", "FROM node:22-alpine AS deps",
        "from --platform=linux/amd64 python:3.13-slim as base", "FROM deps AS build", "FROM scratch",
        "FROM node:22-alpine", "FROM $IMAGE"), { "node:22-alpine", "python:3.13-slim" })
end

function tests.bases_have_images_whose_files_are_taken()
    lu.assertEquals(bases(nil, "FROM scratch AS first", "FROM a:1", "COPY --from=first /x /x", "COPY --from=0 /x /x",
        "COPY --chown=1 --from=mirror.test/tools/uv:0.9 /uv /uv", "COPY --from=FIRST /x /x",
        "RUN --mount=type=bind,from=b:2,target=/b \\", "  --mount=from=first,target=/f --network=none x --from=no",
        "run --mount=type=cache,target=/c,from=b:2 x", "RUN <<EOF", "COPY --from=no / /", "EOF"),
        { "a:1", "mirror.test/tools/uv:0.9", "b:2" })
end

function tests.bases_are_named_by_arguments_too()
    local lines = { 'ARG V=22 OS="alpine"', "ARG IMAGE=node:$V-${OS}", "ARG SUFFIX", "FROM $IMAGE AS one",
        "FROM python:${PYTHON:-3.13}${OS:+-slim} AS two", "ARG V=30", "FROM 'app${SUFFIX}:$V'", "FROM x:$TARGETARCH" }
    lu.assertEquals(bases(nil, table.unpack(lines)), { "node:22-alpine", "python:3.13-slim", "app:22" })
    lu.assertEquals(bases({ V = 24, SUFFIX = "-x" }, table.unpack(lines)),
        { "node:24-alpine", "python:3.13-slim", "app-x:24" })
end

return tests
