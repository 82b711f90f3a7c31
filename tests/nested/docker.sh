#!/bin/sh
# docker for a tool whose nodes are containers, on a machine that may not give a container every capability: --privileged
# becomes all of them but the one that is lacking, with the devices and paths that the flag opens.
here=${0%/*} real=
old_ifs=$IFS IFS=:
for folder in $PATH; do
    [ "$folder" != "$here" ] && [ -x "$folder/docker" ] && real=$folder/docker && break
done
IFS=$old_ifs
[ -n "$real" ] || { echo "docker is not installed" >&2; exit 127; }
privileged=
for word; do
    shift
    if [ "$word" = --privileged ]; then privileged=1; else set -- "$@" "$word"; fi
done
if [ -z "$privileged" ] || [ "$1" != run ]; then exec "$real" "$@"; fi
shift
exec "$real" run --cap-add=ALL --cap-drop=SYS_RESOURCE --security-opt systempaths=unconfined \
    --device-cgroup-rule "a *:* rwm" --device /dev/kmsg --cgroupns=private "$@"
