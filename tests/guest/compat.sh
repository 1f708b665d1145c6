# SPDX-License-Identifier: GPL-2.0-only
# 64-bit code in a 32-bit system call: what a probe says of it, and what the sweep does.
insmod /lib/stackfault.ko || exit 90
compat >app &
pid=$!
until grep -qs long app; do sleep 0.1; done
cat app
echo "pid: $pid"
kcanary watch -p $pid --sweep 100 --headroom 16200 -j >out 2>err &
watcher=$!
until grep -qs '"anomaly":"headroom"' out; do sleep 0.1; done
kill -USR1 $pid
# In the long sleep, and not on its way: hrtimer_nanosleep() of the short one has returned by then.
until grep -qs sleep app && grep -qs hrtimer_nanosleep /proc/$pid/stack; do sleep 0.1; done
until echo "canary $pid 0" 2>/dev/null >/sys/kernel/debug/stackfault; do sleep 0.1; done
until grep -qs '"anomaly":"slot"' out; do sleep 0.1; done
echo restore >/sys/kernel/debug/stackfault
kill -INT $watcher
wait $watcher
cat out err
kill -9 $pid
