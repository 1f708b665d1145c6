# SPDX-License-Identifier: GPL-2.0-only
# Threads go to sleep with little of their stack left, and others go on: a gate looks at those on
# what is left of the sleepers' stacks, or rather does not. All on one CPU, which is never idle.
insmod /lib/stackfault.ko || exit 90
for i in 1 2 3; do
	taskset 2 sh -c 'while :; do :; done' &
done
kcanary watch --gate -j >out &
watcher=$!
until grep -qs '"type":"start"' out; do sleep 0.1; done
taskset 2 sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	echo "recurse 14580" >/sys/kernel/debug/stackfault
done'
kill -INT $watcher
wait $watcher
echo "watch: status $?"
cat out
