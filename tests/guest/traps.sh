# SPDX-License-Identifier: GPL-2.0-only
# usage: traps.sh SECONDS
# All that has fooled stack checkers before, at once, under a sweep without pause.
insmod /lib/stackfault.ko || exit 90
mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && mkdir /sys/fs/cgroup/frozen
echo 600 >/proc/sys/kernel/pid_max # numbers come around soon
echo 1 >/proc/sys/vm/unprivileged_userfaultfd
ulimit -u 400

hotplug() { # CPU 1 goes and comes; its idle task gets a new canary each time
	echo 0 >/sys/devices/system/cpu/cpu1/online || return
	sleep 0.2
	echo 1 >/sys/devices/system/cpu/cpu1/online
	sleep 0.5
}
kthreads() { echo "kthreads 8" >/sys/kernel/debug/stackfault; }

app01 600 >/dev/null &
# Before all others: what is tested is what it sees, not how it is starved.
kcanary watch --sweep 10 --max-cpu 100 -j -v >watch 2>watch.err &
watcher=$!
renice -n -20 -p $watcher >/dev/null
until grep -qs '"type":"start"' watch; do sleep 0.1; done
traps $1 >traps.out 2>&1 &
traps=$!
count=0
while kill -0 $traps 2>/dev/null || [ $count -lt 4 ]; do
	hotplug
	kthreads
	count=$((count + 1))
done
kill -INT $watcher
wait $watcher
echo "watch: status $?"
echo "CPU 1 went and came: $count"
cat watch.err watch
cat traps.out
