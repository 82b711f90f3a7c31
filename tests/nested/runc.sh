#!/bin/sh
# runc inside the node: takes from a container's or process's configuration what the node itself may not give.
clamp() {
    [ -f "$1" ] || return 0
    jq "def clamp: del(.rlimits) | if (.oomScoreAdj // 0) < 0 then del(.oomScoreAdj) else . end
        | if .capabilities then .capabilities[] -= [\"CAP_SYS_RESOURCE\"] else . end;
        if has(\"process\") then .process |= clamp else clamp end" "$1" >"$1.clamped" && cat "$1.clamped" >"$1"
    rm -f "$1.clamped"
}
before=
for word; do
    case $before in --bundle | -b) clamp "$word/config.json" ;; --process | -p) clamp "$word" ;; esac
    case $word in --bundle=*) clamp "${word#*=}/config.json" ;; --process=*) clamp "${word#*=}" ;; esac
    before=$word
done
exec /usr/bin/runc.real "$@"
