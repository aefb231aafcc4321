#!/bin/busybox sh
# PID 1 of a guest: modules, the host's root under an overlay, one command, power off.
export PATH=/bin
busybox mkdir -p /proc /sys /dev /lower /rw /root /share
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
fail() { echo "guest: $*"; busybox poweroff -f; }
for module in /modules/*.ko; do
    busybox insmod "$module" || fail "insert $module"
done
options=trans=virtio,version=9p2000.L,msize=512000
busybox mount -t 9p -o "$options,ro,cache=loose" hostroot /lower || fail "mount the host's root"
busybox mount -t tmpfs -o size=80% rw /rw
busybox mkdir /rw/upper /rw/work
busybox mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work overlay /root || fail "mount the overlay"
busybox mount -t tmpfs run /root/run
busybox mkdir -p /root/run/lab /root/run/lock /root/run/netns /root/dev/shm
busybox mount -t 9p -o "$options,cache=none" share /root/run/lab || fail "mount the share"
busybox mount --bind /proc /root/proc
busybox mount --bind /sys /root/sys
busybox mount --bind /dev /root/dev
busybox mkdir -p /dev/pts /dev/shm
busybox mount -t devpts devpts /root/dev/pts
busybox mount -t tmpfs shm /root/dev/shm
busybox ip link set lo up
busybox chroot /root /bin/sh /run/lab/command >/root/run/lab/output 2>&1 </dev/null
echo $? >/root/run/lab/status
busybox sync
busybox poweroff -f
