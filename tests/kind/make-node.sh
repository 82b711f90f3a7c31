#!/bin/bash
# Makes the file system of kind's node without its Kubernetes images, as kind's images/base/Dockerfile and
# `kind build node-image` do from what may not be reachable: make-node.sh FOLDER KIND_SOURCES PROGRAMS VERSION. Needs root.
set -euo pipefail
umask 022
tree=$1 base=$2/images/base/files programs=$3 version=$4
. "$(dirname "$0")/../nested/tree.sh"
packages=systemd,systemd-sysv,dbus,runc,conntrack,iptables,nftables,iproute2,ethtool,util-linux,mount,kmod,libseccomp2,pigz
packages=$packages,ca-certificates,curl,jq,procps,containernetworking-plugins,netbase

node_tree "$tree" "$packages"
cp -r --no-preserve=mode,ownership "$base/." "$tree/"
chmod 755 "$tree"/usr/local/bin/entrypoint "$tree"/kind/bin/*
node_limits "$tree"
sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$tree/etc/containerd/config.toml"
# An init that may not raise its children's limits or lower their oom score must not be asked to.
sed -i '/^OOMScoreAdjust=/d; /^Limit/d' "$tree/etc/systemd/system/containerd.service"

for program in containerd containerd-shim-runc-v2 ctr crictl; do install -m 755 "$programs/$program" "$tree/usr/local/bin/$program"; done
for program in kubeadm kubectl kubelet; do install -m 755 "$programs/$program" "$tree/usr/bin/$program"; done
chroot "$tree" /usr/local/bin/ctr oci spec |
    jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' >"$tree/etc/containerd/cri-base.json"
printf %s "$version" >"$tree/kind/version"

# The network of one node: the bridge of Debian's plug-ins in the range that kind gives to pods. A manifest has to be there.
cat >"$tree/etc/cni/net.d/10-bridge.conflist" <<'END'
{ "cniVersion": "0.4.0", "name": "bridge", "plugins": [
    { "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.244.0.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
    { "type": "portmap", "capabilities": { "portMappings": true } } ] }
END
mkdir -p "$tree/kind/manifests"
cat >"$tree/kind/manifests/default-cni.yaml" <<'END'
apiVersion: v1
kind: ConfigMap
metadata: { name: bridge-network, namespace: kube-system }
data: { range: 10.244.0.0/24 }
END

node_units "$tree"
chroot "$tree" systemctl enable -q kubelet.service containerd.service undo-mount-hacks.service
node_trim "$tree"
