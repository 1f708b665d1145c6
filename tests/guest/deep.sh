# SPDX-License-Identifier: GPL-2.0-only
# usage: deep.sh LEFT
# A probed function is entered with ever less of its stack left, down to LEFT bytes, which a
# kernel with the probe's own way in must survive; then until the stack is used up, which is
# the end: but not before the record is on the disk.
insmod /lib/stackfault.ko || exit 90
kcanary watch -f stackfault_dive --hold-off 3000 --hold-off-max 5000 -j -o /mnt/findings 2>/mnt/err &
until grep -qs '"type":"start"' /mnt/findings; do sleep 0.1; done
left=3000
while [ $left -ge $1 ]; do
	echo "dive $left" >/sys/kernel/debug/stackfault
	left=$((left - 50))
done
echo "guest: survived $1"
until grep -qs '"headroom":1[0-5]..[^0-9]' /mnt/findings; do sleep 0.1; done
echo "{\"pid\":$$}" >/mnt/pid
sync
sleep 3 # a CPU is held once in two seconds
sh -c 'echo "dive 1" >/sys/kernel/debug/stackfault'
echo "guest: still alive"
exit 91
