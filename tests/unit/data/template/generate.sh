#!/bin/sh
# Makes the golden files anew: generate.sh [GROUP…]. Needs Go and the pinned helm module.
set -e
here=$(cd "$(dirname "$0")" && pwd)
judge=${JUDGE:-$here/judge}
[ -x "$judge" ] || (cd "$here/../../../judges/helm" && go build -o "$judge" "$here/judge.go")
for group in ${*:-language builtin printf complex string convert math list dict keys encode regex path semver date url toml random}; do
    { echo "# helm v3.22.0: $group"; TZ=UTC python3 "$here/cases.py" "$group" | TZ=UTC "$judge" "$here"; } >"$here/$group.txt"
done
(cd "$here/../../../judges/helm" && echo "# helm v3.22.0: functions and the number of their parameters" &&
    go run -ldflags=-checklinkname=0 "$here/functions.go") >"$here/functions.txt"
