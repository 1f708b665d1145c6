# SPDX-License-Identifier: GPL-2.0-only
# Somebody else's kretprobe on a function whose returns are probed, there before the watch
# begins, and coming while it runs: every call returns through its trampoline.
insmod /lib/stackfault.ko || exit 90
mount -t tracefs none /sys/kernel/tracing 2>/dev/null || mount -t debugfs none /sys/kernel/debug
cd /sys/kernel/tracing || exit 91
control=/sys/kernel/debug/stackfault
other=events/kprobes/other/enable

# traced NAME: a watch, and 30,000 calls of the function
traced() {
	rm -f /out
	kcanary watch -f stackfault_plain -j >/out 2>/err &
	watcher=$!
	until grep -qs '"type":"start"' /out; do sleep 0.1; done
	[ "$1" = before ] || echo 1 >$other
	echo "checked 30000" >$control
	sleep 1
	kill -INT $watcher
	wait $watcher
	echo "$1: status $?"
	echo 0 >$other
	sed "s/^/$1:out: /" /out
}
echo 'r:other stackfault_plain' >kprobe_events || exit 92
echo 1 >$other
traced before
traced after
echo >kprobe_events

# The function graph tracer's trampoline in the frames of threads that sleep; and gone again.
graphed() {
	kcanary watch -n App01 --no-probes --sweep 100 --max-cpu 100 -d 2 -j >/out 2>/err
	echo "$1: status $?"
	sed "s/^/$1:out: /" /out
}
echo do_nanosleep >set_ftrace_filter && echo function_graph >current_tracer || exit 93
app01 60 >/app &
app=$!
until grep -qs ready /app; do sleep 0.1; done
sleep 1
graphed graph
kill $app
wait
echo nop >current_tracer
app01 60 >/app2 &
until grep -qs ready /app2; do sleep 0.1; done
graphed nograph
