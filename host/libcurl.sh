#!/bin/sh
# Makes libcurl for linking into the program: prints the folder that holds libcurl.a and curl/curl.h, or fails where it
# cannot be had. Debian's own libcurl.a needs LDAP, GSS, RTMP and SSH, which have no static libraries, and loading its
# shared one with the 25 that it needs costs each command 4 ms and 8 MB. So Debian's source, with Debian's security
# patches, is built once with no more than the program uses, and kept in the user's cache.
set -e
unset CPPFLAGS LDFLAGS LIBS MAKEFLAGS CONFIG_SITE
cache=${XDG_CACHE_HOME:-$HOME/.cache}/todo-lua/libcurl
say() { printf 'todo-lua: %s\n' "$*" >&2; }

# Security updates of the system come into the program by this: a newer package of libcurl means a newer source, and with
# another key all of the program is linked anew.
version=$(dpkg-query -W -f '${source:Version}\n' 'libcurl4-*-dev' | grep -m1 .)
key=$({ cat "$0"; dpkg-query -W libssl-dev libnghttp2-dev zlib1g-dev
    dpkg-query -W libzstd-dev 2>/dev/null || true; echo "$version"; gcc -dumpmachine; gcc --version; } |
    sha256sum | cut -c1-16)
built=$cache/$key
if [ -e "$built/libcurl.a" ]; then
    echo "$built"
    exit
fi

# What failed is not tried at every build: it takes time where there is no network.
failed=$cache/$key.failed
if [ -n "$(find "$failed" -mmin -1440 2>/dev/null)" ]; then
    say "$(cat "$failed")"
    exit 1
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/new.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
log=$cache/$key.log

give_up() {
    echo "libcurl $1 (see $log): the program will load the shared one" >"$failed"
    say "$(cat "$failed")"
    exit 1
}

# apt's own configuration and keys, but with sources in place of packages, and nothing of it in the system's lists.
fetch() {
    mkdir parts lists archives
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ ! -e "$file" ] || sed -E 's/^deb([ \t])/deb-src\1/; s/^Types:.*/Types: deb-src/' "$file" >"parts/${file##*/}"
    done
    cat >apt.conf <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/parts";
Dir::State::lists "$work/lists";
Dir::Cache "$work/archives";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
EOF
    for try in 1 2 3; do
        apt-get -q -c apt.conf update || true
        # The mirror may have gone on to a newer one.
        apt-get -q -c apt.conf source --download-only "curl=$version" && return
        apt-get -q -c apt.conf source --download-only curl && return
        [ $try = 3 ] || sleep 5
    done
    return 1
}

unpack() {
    mkdir source &&
        tar xf curl_*.orig.tar.?z -C source --strip-components=1 &&
        tar xf curl_*.debian.tar.?z -C source || return 1
    sed '/^#/d; /^[ \t]*$/d; s/[ \t].*//' source/debian/patches/series >series
    while read -r name; do
        patch -d source -s -p1 <"source/debian/patches/$name" || return 1
    done <series
    # OpenSSL sets itself up for the first TLS connection, with its configuration; before that it costs what speaks to a
    # unix socket 0.8 ms and 1.6 MB.
    grep -q '^  OPENSSL_init_ssl(flags, NULL);$' source/lib/vtls/openssl.c ||
        { echo "OpenSSL is set up elsewhere in this source"; return 1; }
    sed -i 's/^  OPENSSL_init_ssl(flags, NULL);$/  (void)flags;/' source/lib/vtls/openssl.c
}

# HTTP and HTTPS with what host/net asks for, and authorities where Debian has them. Without IDN, which needs a locale that
# the program does not set: with it a name beyond ASCII was no URL, without it is one that DNS does not know.
compile() {
    mkdir objects && cd objects || return 1
    PKG_CONFIG=no ../source/configure -q CC=gcc LDFLAGS=-no-pie \
        CFLAGS="-O2 -ffunction-sections -fdata-sections -fno-pie" --disable-shared --without-pic \
        --disable-dependency-tracking --with-openssl --with-nghttp2 --with-zlib --enable-threaded-resolver \
        --with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --with-ca-path=/etc/ssl/certs \
        --without-libidn2 --without-libpsl --without-brotli --without-zstd --without-librtmp --without-libssh2 \
        --without-libgsasl --without-zsh-functions-dir --without-fish-functions-dir \
        --disable-ftp --disable-file --disable-ldap --disable-ldaps --disable-rtsp --disable-dict --disable-telnet \
        --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher --disable-mqtt \
        --disable-websockets --disable-manual --disable-libcurl-option --disable-crypto-auth --disable-digest-auth \
        --disable-aws --disable-ntlm --disable-ntlm-wb --disable-tls-srp --disable-cookies --disable-netrc \
        --disable-alt-svc --disable-hsts --disable-doh --disable-dnsshuffle --disable-mime --disable-dateparse \
        --disable-headers-api --disable-get-easy-options --disable-progress-meter &&
        make -s -C lib -j"$(getconf _NPROCESSORS_ONLN)" libcurl.la || return 1
    cd ..
    mkdir -p out/curl
    cp source/include/curl/*.h out/curl && cp objects/lib/.libs/libcurl.a out
}

# configure goes on without a library that it does not find.
prove() {
    cat >prove.c <<'EOF'
#include <curl/curl.h>
int main(void)
{
    const curl_version_info_data *have = curl_version_info(CURLVERSION_NOW);
    int wanted = CURL_VERSION_SSL | CURL_VERSION_HTTP2 | CURL_VERSION_LIBZ | CURL_VERSION_IPV6 |
                 CURL_VERSION_UNIX_SOCKETS | CURL_VERSION_ASYNCHDNS | CURL_VERSION_HTTPS_PROXY;
    return have->version_num != LIBCURL_VERSION_NUM || (have->features & wanted) != wanted;
}
EOF
    # libcrypto.a's own libraries are said beside it: in Debian 13 zstd is among them.
    # shellcheck disable=SC2046
    gcc -fno-pie -no-pie -Iout -o prove prove.c out/libcurl.a -l:libnghttp2.a -l:libssl.a -l:libcrypto.a -l:libz.a \
        $(sed -n 's/^Libs.private://p' "$(gcc -print-file-name=pkgconfig/libcrypto.pc)") && ./prove
}

cd "$work"
say "fetching the source of libcurl $version"
fetch >"$log" 2>&1 || give_up "$version has no source here"
say "building libcurl (about half a minute)"
{ unpack && compile && prove; } >>"$log" 2>&1 || give_up "$version cannot be built from its source"
# Another build may have been faster; both made the same.
mv -T out "$built" 2>/dev/null || [ -e "$built/libcurl.a" ]
rm -f "$log" "$failed"
echo "$built"
