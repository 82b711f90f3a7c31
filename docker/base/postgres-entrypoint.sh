#!/bin/bash
# Entry point of the postgres stand-in: POSTGRES_USER, POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_DB and PGDATA
# mean what they mean in the official image.
set -euo pipefail

PGDATA=${PGDATA:-/var/lib/postgresql/data}
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
init=$PGDATA/.init

fail() { echo "postgres: $*" >&2; exit 1; }

# A password file with mode 0600 is readable for root alone, so it is read before the change of user.
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE") || fail "cannot read $POSTGRES_PASSWORD_FILE"
    export POSTGRES_PASSWORD
    unset POSTGRES_PASSWORD_FILE
fi

if [ "$(id -u)" -eq 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

# PG_VERSION moves last: whatever interrupts the first start, the next one finds either a whole cluster or none.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "${POSTGRES_PASSWORD:-}" ] || fail "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
    find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +
    initdb --pgdata="$init" --username="$user" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --encoding=UTF8 --locale-provider=builtin --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 >/dev/null
    echo 'host all all all scram-sha-256' >>"$init/pg_hba.conf"
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s";\n' "${database//\"/\"\"}" | postgres --single -D "$init" postgres >/dev/null
    fi
    find "$init" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$PGDATA" {} +
    mv "$init/PG_VERSION" "$PGDATA/PG_VERSION"
    rmdir "$init"
    echo "postgres: initialised database $database for user $user" >&2
fi
unset POSTGRES_PASSWORD

[ "${1:-}" != postgres ] || shift
postgres -D "$PGDATA" -c listen_addresses='*' -c jit=off "$@" &
server=$!
# SIGTERM would make the server wait for its clients; SIGINT ends their sessions and shuts down cleanly.
trap 'kill -INT "$server" 2>/dev/null || true' TERM INT
status=0
wait "$server" || status=$?
while kill -0 "$server" 2>/dev/null; do
    status=0
    wait "$server" || status=$?
done
exit "$status"
