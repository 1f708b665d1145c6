# SPDX-License-Identifier: GPL-2.0-only
# usage: probe.sh COMMAND [frozen]
# A running function overflows its own frame, with stackfault_smash() watched. The
# evidence must be on the disk before the kernel is gone: even if the main thread is
# frozen, in the middle of one of many passes.
insmod /lib/stackfault.ko || exit 90
[ -z "$2" ] || busy="--sweep 10 --max-cpu 100"
# An emulated CPU may have to wait for a real one: hence --hold-off.
kcanary watch -f stackfault_smash --hold-off 1000 --hold-off-max 2000 $busy \
	-j -o /mnt/findings --kmsg 2>/mnt/err &
pid=$!
until grep -qs '"type":"start"' /mnt/findings; do sleep 0.1; done
sleep 1 # past the first pass: the overflow meets a watch at rest
if [ -n "$2" ]; then
	freeze $pid >/frozen &
	until grep -q frozen /frozen; do sleep 0.1; done
fi
echo "{\"pid\":$$}" >/mnt/pid # what is on its way to the serial line may be lost
sync
echo "$1" >/sys/kernel/debug/stackfault
echo "guest: still alive"
exit 91
