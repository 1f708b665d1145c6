# SPDX-License-Identifier: GPL-2.0-only
# usage: probe.sh COMMAND [frozen|hogged|recorded]
# A running function overflows its own frame, with stackfault_smash() watched. The
# evidence must be on the disk before the kernel is gone: even if the main thread is
# frozen, in the middle of one of many passes; or if the first two CPUs belong to somebody's
# real-time threads.
insmod /lib/stackfault.ko || exit 90
[ "$2" != recorded ] || busy="--record /mnt/tape"
[ "$2" != frozen ] || busy="--sweep 10 --max-cpu 100"
# An emulated CPU may have to wait for a real one: hence --hold-off.
kcanary watch -f stackfault_smash --hold-off 3000 --hold-off-max 5000 $busy \
	-j -o /mnt/findings --kmsg 2>/mnt/err &
pid=$!
until grep -qs '"type":"start"' /mnt/findings; do sleep 0.1; done
sleep 1 # past the first pass: the overflow meets a watch at rest
if [ "$2" = frozen ]; then
	freeze $pid >/frozen &
	until grep -q frozen /frozen 2>/dev/null; do sleep 0.1; done
fi
if [ "$2" = hogged ]; then
	for cpu in 0 1; do
		hog $cpu >/hog$cpu &
		until grep -q hogging /hog$cpu 2>/dev/null; do sleep 0.1; done
	done
fi
echo "{\"pid\":$$}" >/mnt/pid # what is on its way to the serial line may be lost
sync
echo "$1" >/sys/kernel/debug/stackfault
echo "guest: still alive"
exit 91
