#!/bin/bash
# Stand-in for postgres:17: Debian's postgresql-17 with an entry point that takes the same environment variables.
# usage: make-postgres.sh FILE.tar    writes a root file system for `docker import`

. "$(dirname "$0")/lib.sh"

require_root_and_tools
tree="$WORK/root"
unpack_debian "$tree"

# The user's number is the one of the official image, so that a data volume can move between the two.
chroot "$tree" groupadd --system --gid 999 postgres
chroot "$tree" useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres
mkdir -p "$tree/etc/postgresql-common"
echo 'create_main_cluster = false' >"$tree/etc/postgresql-common/createcluster.conf"
apt_install "$tree" postgresql-17

# Just-in-time compilation needs 130 MB of LLVM; the entry point turns it off.
rm -rf "$tree"/usr/lib/*/libLLVM* "$tree"/usr/lib/llvm-* "$tree"/usr/lib/postgresql/17/lib/llvmjit* \
    "$tree"/usr/lib/postgresql/17/lib/bitcode
for tool in "$tree"/usr/lib/postgresql/17/bin/*; do
    ln -sf "/usr/lib/postgresql/17/bin/$(basename "$tool")" "$tree/usr/local/bin/$(basename "$tool")"
done
install -m 755 "$(dirname "$0")/postgres-entrypoint.sh" "$tree/usr/local/bin/docker-entrypoint.sh"
install -d -m 700 -o 999 -g 999 "$tree/var/lib/postgresql/data"
install -d -m 775 -o 999 -g 999 "$tree/var/run/postgresql"

trim "$tree"
chroot "$tree" postgres --version >/dev/null || fail "postgres does not run inside the new image"
write_tar "$tree"
