#!/bin/bash
# Stand-in for node:22-alpine: Debian with the Node.js binary and npm as npm's own packages carry them.
# usage: make-node.sh FILE.tar    writes a root file system for `docker import`

. "$(dirname "$0")/lib.sh"

NODE_VERSION=22.23.3
NPM_VERSION=11.21.2

require_root_and_tools npm
tree="$WORK/root"
unpack_debian "$tree"

case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) fail "no Node.js package for $(uname -m)" ;;
esac

say "npm install node-linux-$arch@$NODE_VERSION npm@$NPM_VERSION"
mkdir -p "$WORK/npm"
retry npm install --prefix "$WORK/npm" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
    "node-linux-$arch@$NODE_VERSION" "npm@$NPM_VERSION" >&2 || fail "npm install failed"

install -m 755 "$WORK/npm/node_modules/node-linux-$arch/bin/node" "$tree/usr/local/bin/node"
mkdir -p "$tree/usr/local/lib/node_modules"
cp -R "$WORK/npm/node_modules/npm" "$tree/usr/local/lib/node_modules/npm"
rm -rf "$tree/usr/local/lib/node_modules/npm/docs" "$tree/usr/local/lib/node_modules/npm/man"
chown -R 0:0 "$tree/usr/local"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$tree/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$tree/usr/local/bin/npx"
chmod 755 "$tree"/usr/local/lib/node_modules/npm/bin/*.js

trim "$tree"
chroot "$tree" npm --version >/dev/null || fail "npm does not run inside the new image"
write_tar "$tree"
