# Shared by the make-*.sh scripts: one cached Debian root file system, unpacked, extended and trimmed by each of them.
# shellcheck shell=bash

set -euo pipefail
umask 022
export LC_ALL=C

SUITE=trixie
CACHE=${TODO_BASE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/todo-lua/base}
OUT=${1:-}
WORK=

say() { printf '%s\n' "$*" >&2; }
fail() { say "$(basename "$0"): $*"; exit 1; }

retry() {
    local attempt
    for attempt in 1 2 3; do
        "$@" && return 0
        say "attempt $attempt of 3 failed: $1"
        sleep "$attempt"
    done
    return 1
}

# An interrupted debootstrap may leave /proc mounted below the work folder.
clean_up() {
    local mount_point
    while read -r _ mount_point _; do
        case $mount_point in "$WORK"/*) umount -l "$mount_point" || true ;; esac
    done </proc/mounts
    rm -rf --one-file-system "$WORK"
}

require_root_and_tools() {
    [ -n "$OUT" ] || fail "usage: $(basename "$0") FILE.tar   (- writes to standard output)"
    [ "$(id -u)" -eq 0 ] || fail "must run as root: debootstrap and chroot need it"
    local tool
    for tool in debootstrap chroot tar flock "$@"; do
        command -v "$tool" >/dev/null || fail "$tool is missing (apt-get install debootstrap; npm comes with Node.js)"
    done
    mkdir -p "$CACHE"
    WORK=$(mktemp -d "$CACHE/work.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# The package lists stay in the cached file: the scripts that install more need no second download of them.
make_debian_tar() {
    local tree="$WORK/debian"
    say "debootstrap $SUITE"
    retry bootstrap_into "$tree" || fail "debootstrap failed: $(tail -n 3 "$WORK/debootstrap.log")"
    rm -rf "$tree"/var/cache/apt/archives/*.deb
    tar --numeric-owner -C "$tree" -cf "$1.part" .
    mv "$1.part" "$1"
    rm -rf "$tree"
}

bootstrap_into() {
    rm -rf "$1"
    # shellcheck disable=SC2086  # an unset mirror must vanish, so that debootstrap's default holds
    debootstrap --variant=minbase "$SUITE" "$1" ${TODO_DEBIAN_MIRROR:-} >"$WORK/debootstrap.log" 2>&1
}

# Several scripts may run at once; the first one bootstraps, the others wait for its result.
unpack_debian() {
    local tar_file lock
    tar_file="$CACHE/$SUITE-$(dpkg --print-architecture).tar"
    exec {lock}>"$CACHE/lock"
    flock "$lock"
    [ -s "$tar_file" ] || make_debian_tar "$tar_file"
    exec {lock}>&-
    mkdir -p "$1"
    tar --numeric-owner -C "$1" -xf "$tar_file"
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$1/etc/resolv.conf"
}

apt_install() {
    local tree=$1
    shift
    say "apt-get install $*"
    retry apt_in "$tree" install -y --no-install-recommends "$@" || {
        retry apt_in "$tree" update && apt_in "$tree" install -y --no-install-recommends "$@"
    } || fail "apt-get install $* failed: $(tail -n 3 "$WORK/apt.log")"
}

apt_in() {
    local tree=$1
    shift
    DEBIAN_FRONTEND=noninteractive chroot "$tree" apt-get -q -o APT::Sandbox::User=root "$@" >>"$WORK/apt.log" 2>&1
}

# What an image never reads: package caches, manuals, translations, character-set tables other than the built-in ones.
trim() {
    local tree=$1
    rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/var/cache/debconf/* "$tree"/var/log/* \
        "$tree"/usr/share/doc/* "$tree"/usr/share/man/* "$tree"/usr/share/info/* "$tree"/usr/share/lintian \
        "$tree"/usr/share/locale/* "$tree"/usr/share/i18n "$tree"/usr/share/bash-completion "$tree"/usr/share/zsh \
        "$tree"/usr/lib/*/gconv \
        "$tree"/usr/sbin/policy-rc.d "$tree"/tmp/* "$tree"/var/tmp/* "$tree"/dev/* "$tree"/debootstrap
    find "$tree" -xdev -type d -name __pycache__ -prune -exec rm -rf {} +
    mkdir -p "$tree/var/cache/apt/archives/partial" "$tree/var/lib/apt/lists/partial"
}

# The container engine mounts its own resolv.conf and hosts; the builder's must not travel in the image.
write_tar() {
    local tree=$1
    : >"$tree/etc/resolv.conf"
    rm -f "$tree/etc/hostname"
    say "writing $(du -sm "$tree" | cut -f1) MB"
    if [ "$OUT" = - ]; then
        pack "$tree" -
    else
        pack "$tree" "$OUT.part"
        mv "$OUT.part" "$OUT"
    fi
}

pack() { tar --numeric-owner --sort=name --mtime=@0 -C "$1" -cf "$2" .; }
