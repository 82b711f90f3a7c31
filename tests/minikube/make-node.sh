#!/bin/bash
# Makes the file system of minikube's node, as its own Dockerfile does from packages that may not be reachable:
# make-node.sh FOLDER MINIKUBE_SOURCES PROGRAMS. Needs root.
set -euo pipefail
umask 022
tree=$1 kicbase=$2/deploy/kicbase programs=$3
. "$(dirname "$0")/../nested/tree.sh"
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,docker.io,runc,conntrack,iptables,iproute2,socat,ebtables,ethtool,kmod
packages=$packages,util-linux,mount,ca-certificates,curl,rsync,iputils-ping,procps,containernetworking-plugins,netbase,lz4,jq

node_tree "$tree" "$packages"
node_limits "$tree"
install -D -m 755 "$kicbase/entrypoint" "$tree/usr/local/bin/entrypoint"
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
[ -e "$tree/usr/bin/dockerd" ] || ln -s /usr/sbin/dockerd "$tree/usr/bin/dockerd"

node_units "$tree"
chroot "$tree" /bin/bash -euc '
    ln -fs /usr/lib/systemd/system/minikube-automount.service /etc/systemd/system/multi-user.target.wants/minikube-automount.service
    systemctl disable -q udev.service containerd.service || true
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
'
node_trim "$tree"
