#!/bin/bash
# Makes the file system of minikube's node, as its own Dockerfile does from packages that may not be reachable:
# make-node.sh FOLDER MINIKUBE_SOURCES PROGRAMS. Needs root.
set -euo pipefail
umask 022
tree=$1 kicbase=$2/deploy/kicbase programs=$3
here=$(cd "$(dirname "$0")" && pwd)
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,docker.io,runc,conntrack,iptables,iproute2,socat,ebtables,ethtool,kmod
packages=$packages,util-linux,mount,ca-certificates,curl,rsync,iputils-ping,procps,containernetworking-plugins,netbase,lz4,jq

for try in 1 2 3; do
    rm -rf "$tree"
    # shellcheck disable=SC2086  # an unset mirror must vanish
    if debootstrap --variant=minbase --include="$packages" bookworm "$tree" ${TODO_DEBIAN_MIRROR:-}; then break; fi
    [ "$try" -lt 3 ] || exit 1
done

install -D -m 755 "$kicbase/entrypoint" "$tree/usr/local/bin/entrypoint"
install -m 755 "$here/unlock.sh" "$tree/usr/local/bin/unlock"
install -D -m 644 "$kicbase/10-network-security.conf" "$tree/etc/sysctl.d/10-network-security.conf"
install -D -m 644 "$kicbase/containerd.toml" "$tree/etc/containerd/config.toml"
install -D -m 644 "$kicbase/containerd_docker_io_hosts.toml" "$tree/etc/containerd/certs.d/docker.io/hosts.toml"
install -D -m 755 "$kicbase/automount/minikube-automount" "$tree/usr/sbin/minikube-automount"
install -D -m 644 "$kicbase/automount/minikube-automount.service" "$tree/usr/lib/systemd/system/minikube-automount.service"
install -D -m 755 "$kicbase/scheduled-stop/minikube-scheduled-stop" "$tree/var/lib/minikube/scheduled-stop/minikube-scheduled-stop"
install -D -m 644 "$kicbase/scheduled-stop/minikube-scheduled-stop.service" "$tree/usr/lib/systemd/system/minikube-scheduled-stop.service"
# Written without spaces: minikube's own edits then leave the line alone.
sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj=true/' "$tree/etc/containerd/config.toml"

for program in containerd containerd-shim-runc-v2 ctr cri-dockerd; do install -m 755 "$programs/$program" "$tree/usr/bin/$program"; done
install -m 755 "$programs/crictl" "$tree/usr/local/bin/crictl"
for unit in cri-docker.service cri-docker.socket; do install -m 644 "$programs/$unit" "$tree/usr/lib/systemd/system/$unit"; done
mkdir -p "$tree/opt/cni/bin" "$tree/etc/cni/net.d" "$tree/etc/kubernetes/manifests" "$tree/kind"
cp "$tree"/usr/lib/cni/* "$tree/opt/cni/bin/"
mv "$(readlink -f "$tree/usr/sbin/runc")" "$tree/usr/bin/runc.real"
rm -f "$tree/usr/sbin/runc"
install -m 755 "$here/runc.sh" "$tree/usr/bin/runc"
ln -s /usr/bin/runc "$tree/usr/sbin/runc"
[ -e "$tree/usr/bin/dockerd" ] || ln -s /usr/sbin/dockerd "$tree/usr/bin/dockerd"
cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"

chroot "$tree" /bin/bash -euc '
    rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* /lib/systemd/system/local-fs.target.wants/*
    rm -f /lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl*
    rm -f /lib/systemd/system/basic.target.wants/* /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
    echo ReadKMsg=no >>/etc/systemd/journald.conf
    ln -fs /usr/lib/systemd/system/minikube-automount.service /etc/systemd/system/multi-user.target.wants/minikube-automount.service
    systemctl disable -q udev.service containerd.service || true
    systemctl mask -q systemd-binfmt.service
    systemctl enable -q docker.service ssh.service
    printf "PubkeyAcceptedAlgorithms +ssh-rsa\nHostkeyAlgorithms +ssh-rsa\nPasswordAuthentication no\n" >>/etc/ssh/sshd_config
    groupadd -f docker
    useradd -m -s /bin/bash -g docker -G sudo docker
    usermod -p "*" docker
    echo "%sudo ALL=(ALL) NOPASSWD:ALL" >/etc/sudoers.d/20-passwordless-sudo
    chmod 440 /etc/sudoers.d/20-passwordless-sudo
    install -d -o docker -g docker /home/docker/.ssh
    sed -ri "s/^(hosts:\s*).*/\1files dns/" /etc/nsswitch.conf
    echo "{\"iso_version\": \"none\"}" >/version.json
    rm -rf /usr/share/doc/* /usr/share/man/* /var/cache/apt/archives/*.deb /var/lib/apt/lists/*
'
