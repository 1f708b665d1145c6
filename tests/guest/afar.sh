# SPDX-License-Identifier: GPL-2.0-only
# usage: afar.sh BYTES
# An overflow that only the tripwire can see: of a thread that sleeps in a function without
# probes, and that the watch is not about.
insmod /lib/stackfault.ko || exit 90
kcanary watch -f stackfault_plain -n nobody --hold-off 2000 --hold-off-max 2000 \
	-j -o /mnt/findings 2>/mnt/err &
until grep -qs '"type":"start"' /mnt/findings; do sleep 0.1; done
app01 12 >/app &
until grep -qs ready /app; do sleep 0.1; done
tid=$(sed -n "s/^a01-sleep //p" /app)
sync
until echo "overflow nanosleep $tid $1" >/sys/kernel/debug/stackfault; do sleep 0.1; done
wait
echo "guest: still alive"
exit 91
