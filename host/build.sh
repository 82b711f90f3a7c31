#!/bin/sh
# Builds the host: build.sh PROJECT [the wrapper's arguments]. Installs missing build packages first: every command is
# printed before it runs; a person is asked once; without a terminal, or with --yes, it goes on only as root.
set -e
project=$1
shift
cd "$project"
config=${TODO_LUA_CONFIG:-release}
say() { printf '%s\n' "$*" >&2; }

debian_packages() {
    missing=
    while read -r package file; do
        [ -n "$package" ] || continue
        [ -e "$file" ] || [ -e "$(printf '%s' "$file" | sed "s|/x86_64-linux-gnu/|/$(uname -m)-linux-gnu/|")" ] || missing="$missing $package"
    done <<END
gcc /usr/bin/gcc
g++ /usr/bin/g++
make /usr/bin/make
premake4 /usr/bin/premake4
liblua5.4-dev /usr/include/lua5.4/lua.h
lua5.4 /usr/bin/lua5.4
libyaml-dev /usr/include/yaml.h
libre2-dev /usr/include/re2/re2.h
zlib1g-dev /usr/include/zlib.h
libcrypt-dev /usr/include/crypt.h
libcurl4-openssl-dev /usr/include/x86_64-linux-gnu/curl/curl.h
libnghttp2-dev /usr/include/nghttp2/nghttp2.h
xz-utils /usr/bin/xz
patch /usr/bin/patch
libcjson-dev /usr/include/cjson/cJSON.h
libssl-dev /usr/include/openssl/evp.h
libarchive-dev /usr/include/archive.h
libwslay-dev /usr/include/wslay/wslay.h
libedit-dev /usr/include/editline/readline.h
libcmocka-dev /usr/include/cmocka.h
END
    printf '%s' "$missing"
}

install_debian() {
    missing=$(debian_packages)
    [ -n "$missing" ] || return 0
    sudo=
    [ "$(id -u)" = 0 ] || sudo="sudo "
    say "todo-lua: the build needs:$missing"
    say "  ${sudo}apt-get update"
    say "  ${sudo}apt-get install -y --no-install-recommends$missing"
    yes=
    for argument; do [ "$argument" = --yes ] && yes=1; done
    if [ -z "$yes" ] && [ -t 0 ] && [ -t 2 ]; then
        printf 'Run these commands now? [Y/n] ' >&2
        read -r answer
        case $answer in [nN]*) exit 1 ;; esac
    elif [ "$(id -u)" != 0 ]; then
        say "todo-lua: run these commands as root, then start again"
        exit 1
    fi
    for try in 1 2 3; do
        # The words of $missing are package names from the list above.
        # shellcheck disable=SC2086
        if ${sudo}apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive ${sudo}apt-get install -y -q --no-install-recommends $missing >&2; then return 0; fi
        say "todo-lua: try $try failed, again in 5 s"
        sleep 5
    done
    exit 1
}

[ -e /etc/debian_version ] && install_debian "$@"
premake=premake5
command -v premake5 >/dev/null 2>&1 || premake=premake4
mkdir -p build
# Two runs at once must not write the same objects.
if command -v flock >/dev/null 2>&1; then
    exec 9>build/.lock
    flock 9
fi
unset TODO_LUA_LIBCURL
if [ -e /etc/debian_version ] && libcurl=$(sh host/libcurl.sh); then export TODO_LUA_LIBCURL="$libcurl"; fi
[ -x build/bin/todo-lua ] || say "todo-lua: building the host (about a minute)"
log=build/build-$config.log
if ! { "$premake" --file=premake5.lua gmake && make -C build config="$config" -j"$(getconf _NPROCESSORS_ONLN)" ${TODO_LUA_TARGET:-todo-lua}; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    say "todo-lua: the build failed; the whole output is in $project/$log"
    exit 1
fi
# A source that changed without changing the program (a comment) must not cause a build at each start.
[ "$config" != release ] || touch build/bin/todo-lua
