# The file system of a node that runs in a container, as nodes of different tools have it in common. To be sourced by bash.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# node_tree FOLDER PACKAGES: a Debian whose systemd accepts cgroup v1.
node_tree() {
    for try in 1 2 3; do
        rm -rf "$1"
        # shellcheck disable=SC2086  # an unset mirror must vanish
        if debootstrap --variant=minbase --include="$2" bookworm "$1" ${TODO_DEBIAN_MIRROR:-}; then break; fi
        [ "$try" -lt 3 ] || exit 1
    done
    cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
    mkdir -p "$1/opt/cni/bin" "$1/etc/cni/net.d" "$1/etc/kubernetes/manifests" "$1/kind"
    cp "$1"/usr/lib/cni/* "$1/opt/cni/bin/"
}

# node_limits FOLDER: the first program makes writable what --privileged would have given so; runc asks for no more than
# the node has.
node_limits() {
    install -m 755 "$here/unlock.sh" "$1/usr/local/bin/unlock"
    mv "$(readlink -f "$1/usr/sbin/runc")" "$1/usr/bin/runc.real"
    rm -f "$1/usr/sbin/runc"
    install -m 755 "$here/runc.sh" "$1/usr/bin/runc"
    ln -s /usr/bin/runc "$1/usr/sbin/runc"
}

# node_units FOLDER: systemd starts nothing that only a whole machine has.
node_units() {
    chroot "$1" /bin/bash -euc '
        rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/*
        rm -f /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/basic.target.wants/*
        rm -f /lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl*
        rm -f /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
        echo ReadKMsg=no >>/etc/systemd/journald.conf
        systemctl mask -q systemd-binfmt.service
    '
}

# node_trim FOLDER: without what nobody reads there.
node_trim() {
    rm -rf "$1"/usr/share/doc/* "$1"/usr/share/man/* "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
}
