# SPDX-License-Identifier: GPL-2.0-only
# usage: lkdtm.sh TEST [OPTION...]
# One of the kernel's own crash tests, with a default watch beside it; what it tells is left on the disk.
test=$1
shift
insmod /lib/lkdtm.ko || exit 90
# An emulated CPU may have to wait for a real one: hence --hold-off.
kcanary watch --hold-off 5000 --hold-off-max 5000 "$@" -j -o /mnt/findings --kmsg 2>/mnt/err &
watcher=$!
until grep -qs '"type":"start"' /mnt/findings; do
	kill -0 $watcher || { cat /mnt/err; exit 92; }
	sleep 0.1
done
insmod /lib/stackfault.ko || exit 90
sed -n "s/^$$ /$$ /p" /sys/kernel/debug/stackfault-canaries >/mnt/canary
echo "{\"pid\":$$}" >/mnt/pid # what is on its way to the serial line may be lost
sync
echo $test >/sys/kernel/debug/provoke-crash/DIRECT
kill -INT $watcher
wait $watcher
echo "watch: status $?"
dmesg | grep 'lkdtm: ' | tail -n 3
leak /mnt/canary /mnt/findings /mnt/err
echo "leak: status $?"
