# SPDX-License-Identifier: GPL-2.0-only
# usage: sampled.sh ROUNDS
# A function that nobody probes computes on a frame that is damaged, until that was told, and mends
# it before it returns; as often on one that is not. A load of system calls beside it.
rounds=$1
control=/sys/kernel/debug/stackfault
insmod /lib/stackfault.ko || exit 90
load 3600 >/dev/null 2>&1 &
kcanary watch --sweep 10000 -j -o /findings 2>err &
watch=$!
until grep -qs '"type":"start"' /findings; do
	kill -0 $watch || { cat err; exit 92; }
	sleep 0.1
done
round=0
while [ $round -lt $rounds ]; do
	round=$((round + 1))
	sh -c "echo \$\$ >/whole; echo toil 1000 0 >$control" || exit 93
	echo "{\"whole\":$(cat /whole)}"
	sh -c "echo \$\$ >/damaged; echo toil 120000 8 >$control" &
	toiler=$!
	until [ "$(grep -c '"type":"finding"' /findings)" -ge $round ]; do
		kill -0 $toiler || exit 94
		sleep 0.1
	done
	kill -9 $toiler
	wait $toiler
	echo "{\"damaged\":$(cat /damaged)}"
done
kill -INT $watch
wait $watch
echo "guest: status $?"
cat err /findings
