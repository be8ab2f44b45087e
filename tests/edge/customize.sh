#!/bin/sh
# What mmdebstrap does with the new root file system $1: an ordinary user with sudo, files and packages at hand.
# Neither v4l2loopback nor GStreamer nor containerd nor a newer kernel is installed, for that is what the roles do; their
# packages are downloaded, so that a test does not depend on a fast network.
set -eu
root=$1
key=$2

chroot "$root" useradd --create-home --shell /bin/bash ada
install -d -m 0700 "$root/home/ada/.ssh"
install -m 0600 "$key" "$root/home/ada/.ssh/authorized_keys"
chroot "$root" chown -R ada: /home/ada/.ssh
chmod 0440 "$root/etc/sudoers.d/ada"
chroot "$root" systemctl enable edge-network
# What only costs an emulated processor its time.
chroot "$root" systemctl mask e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer getty@tty1 \
  serial-getty@ttyS0

rm -f "$root"/var/cache/apt/archives/*.deb
download() { chroot "$root" apt-get -qq --yes --no-install-recommends --download-only "$@"; }
download dist-upgrade
download install linux-headers-amd64 dkms v4l2loopback-dkms curl \
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-libav \
  containerd runc containernetworking-plugins iptables nftables conntrack catatonit
