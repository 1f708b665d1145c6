# SPDX-License-Identifier: GPL-2.0-only
# usage: calls.sh SECONDS
# Many calls through probed functions; a known depth; probes that can't be placed.
insmod /lib/stackfault.ko || exit 90
kprobes() { wc -l </sys/kernel/debug/kprobes/list; }
others=$(kprobes)
kcanary watch -f hrtimer_nanosleep -f do_nanosleep -f do_futex -f do_sys_poll \
	-f stackfault_recurse -f msleep -j >out 2>err &
watcher=$!
until grep -qs '"type":"start"' out; do sleep 0.1; done
echo "kprobes $(($(kprobes) - others))"
for what in futex nanosleep poll; do calls $what $1; done
echo "recurse 9000" >/sys/kernel/debug/stackfault
dmesg | grep -o 'deepest entry.*'
kill -INT $watcher
wait $watcher
echo "calls: status $?"
cat out err
kcanary watch --sweep 1000 -f stackfault_recurse --headroom 8000 -j >deep &
watcher=$!
until grep -qs '"type":"start"' deep; do sleep 0.1; done
for depth in 1000 9000 9500; do echo "recurse $depth" >/sys/kernel/debug/stackfault; done
kill -INT $watcher
wait $watcher
echo "deep: status $?"
sed 's/^/deep:out: /' deep
kcanary watch -f 'vfs_*' -d 1
echo "too many: status $?"
kcanary watch -f nosuchfunction -d 1
echo "unknown: status $?"
kcanary watch -f __stack_chk_fail -f bpf_ringbuf_output -f panic -d 1
echo "refused: status $?"
kcanary watch -f trace_event_raw_event_sched_switch -f hrtimer_nanosleep -d 1 -j >some
echo "some: status $?"
sed 's/^/some:out: /' some
kcanary watch --dry-run -f do_futex
echo "dry-run: status $?"
kcanary watch --preset nosuch
echo "preset: status $?"
kcanary watch --dry-run --preset all-blocking | tail -n 1
# Returns without an entry, of threads that are older than the probes: one that was seen to return
# from there before, and one that was not.
(until [ -e go ]; do sleep 0.1; done; echo "stray 0 3" >/sys/kernel/debug/stackfault; : >gone) &
kcanary watch -f stackfault_plain -j >early &
watcher=$!
until grep -qs '"type":"start"' early; do sleep 0.1; done
echo "stray 1 3" >/sys/kernel/debug/stackfault
: >go
until [ -e gone ]; do sleep 0.1; done
kill -INT $watcher
wait $watcher
echo "early: status $?"
sed 's/^/early:out: /' early
