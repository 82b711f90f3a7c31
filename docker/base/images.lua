-- What the scripts beside this file stand in for. `changes` are the instructions that `docker import --change` takes:
-- an imported file system has no configuration of its own.
local path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

return {
    ["node:22-alpine"] = {
        script = "make-node.sh",
        files = { "lib.sh", "make-node.sh" },
        changes = { path, 'CMD ["node"]' },
    },
    ["python:3.13-slim"] = {
        script = "make-python.sh",
        files = { "lib.sh", "make-python.sh" },
        changes = { path, "ENV LANG=C.UTF-8", 'CMD ["python3"]' },
    },
    ["postgres:17"] = {
        script = "make-postgres.sh",
        files = { "lib.sh", "make-postgres.sh", "postgres-entrypoint.sh" },
        changes = {
            path,
            "ENV LANG=C.UTF-8",
            "ENV PGDATA=/var/lib/postgresql/data",
            "VOLUME /var/lib/postgresql/data",
            "EXPOSE 5432",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["postgres"]',
        },
    },
}
