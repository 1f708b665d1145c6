# SPDX-License-Identifier: GPL-2.0-only
# usage: afar.sh BYTES
# An overflow that only the tripwire can see: of a thread that sleeps in a function without
# probes, between two passes of a watch that makes one an hour.
insmod /lib/stackfault.ko || exit 90
app01 20 >/app &
until grep -qs ready /app; do sleep 0.1; done
kcanary watch -f stackfault_plain --sweep 3600000 --hold-off 1000 --hold-off-max 2000 \
	-j -o /mnt/findings 2>/mnt/err &
until grep -qs '"type":"start"' /mnt/findings; do sleep 0.1; done
sleep 2 # past the only pass
tid=$(sed -n "s/^a01-sleep //p" /app)
sync
until echo "overflow nanosleep $tid $1" >/sys/kernel/debug/stackfault; do sleep 0.1; done
wait
echo "guest: still alive"
exit 91
