# SPDX-License-Identifier: GPL-2.0-only
# usage: probe.sh COMMAND
# A running function overflows its own frame, with stackfault_smash() watched. The
# finding must be on the disk before the kernel is gone.
insmod /lib/stackfault.ko || exit 90
# An emulated CPU may have to wait for a real one: hence --hold-off.
kcanary watch -f stackfault_smash --hold-off 1000 -j -o /mnt/findings --kmsg 2>/mnt/err &
until grep -qs '"type":"start"' /mnt/findings; do sleep 0.1; done
sleep 1 # past the first pass: the overflow meets a watch at rest
echo "{\"pid\":$$}" >/mnt/pid # what is on its way to the serial line may be lost
sync
echo "$1" >/sys/kernel/debug/stackfault
echo "guest: still alive"
exit 91
