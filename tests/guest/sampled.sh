# SPDX-License-Identifier: GPL-2.0-only
# usage: sampled.sh ROUNDS
# A function that nobody probes computes for a second on a frame that is damaged, and mends it before
# it returns; as often on one that is not. A load of system calls beside it.
rounds=$1
control=/sys/kernel/debug/stackfault
insmod /lib/stackfault.ko || exit 90
load 3600 >/dev/null 2>&1 &
load=$!
kcanary watch -v --sweep 10000 -j -o /findings 2>err &
watch=$!
until grep -qs '"type":"start"' /findings; do
	kill -0 $watch || { cat err; exit 92; }
	sleep 0.1
done
round=0
while [ $round -lt $rounds ]; do
	sh -c "echo \$\$ >>/whole; echo toil 1000 0 >$control" || exit 93
	sh -c "echo \$\$ >>/damaged; echo toil 2000 8 >$control" || exit 93
	round=$((round + 1))
done
kill -INT $watch
wait $watch
echo "guest: status $?"
kill $load
sed 's/^/guest: whole: /' /whole
sed 's/^/guest: damaged: /' /damaged
grep -v '^kcanary:   ' err | cut -c1-300
cat /findings
