#!/bin/sh
# Start a machine in the mount and network namespaces that this is called in: boot.sh DIRECTORY ROOTFS NAME [OPTION...]
# Starts it again when it reboots. Everything it makes ends with the namespaces, but for the groups of processes, which
# the caller removes.
set -eu
directory=$1 rootfs=$2 name=$3
shift 3

mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$directory/upper,workdir=$directory/work" "$directory/root"
ip link set lo up

# Where systemd does not run the host, nspawn puts the machine into groups below those that it is started in.
if [ ! -d /run/systemd/system ]; then
  for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -d "$hierarchy" ] || continue
    mkdir -p "$hierarchy/$name"
    echo $$ >"$hierarchy/$name/cgroup.procs"
  done
  set -- --keep-unit "$@"
fi

status=133
while [ "$status" = 133 ]; do
  status=0
  systemd-nspawn --quiet --boot --register=no --console=pipe --directory="$directory/root" \
    --machine="$name" --resolv-conf=off --timezone=off "$@" || status=$?
done
exit "$status"
