#!/bin/bash
# Stand-in for python:3.13-slim: Debian with its python3.13 and pip, found under the names that image uses.
# usage: make-python.sh FILE.tar    writes a root file system for `docker import`

. "$(dirname "$0")/lib.sh"

require_root_and_tools
tree="$WORK/root"
unpack_debian "$tree"
apt_install "$tree" python3.13 python3.13-venv ca-certificates

for name in python python3 python3.13; do
    ln -s /usr/bin/python3.13 "$tree/usr/local/bin/$name"
done
# Debian keeps pip away from its own interpreter; in an image the interpreter belongs to nobody else.
rm -f "$tree"/usr/lib/python3.13/EXTERNALLY-MANAGED
wheel=$(cd "$tree" && echo usr/share/python-wheels/pip-*.whl)
chroot "$tree" python3.13 "/$wheel/pip" install --quiet --no-index --root-user-action=ignore "/$wheel" >&2 ||
    fail "pip does not install into the new image"

trim "$tree"
chroot "$tree" pip --version >/dev/null || fail "pip does not run inside the new image"
find "$tree/usr/local" -type d -name __pycache__ -prune -exec rm -rf {} +
write_tar "$tree"
