#!/bin/bash
# The node's first program, before the tool's own: what --privileged would have mounted writable is made so.
set -e
findmnt -t cgroup,cgroup2 -n -o TARGET | while read -r target; do mount -o remount,bind,rw "$target"; done
exec /usr/local/bin/entrypoint "$@"
