# SPDX-License-Identifier: GPL-2.0-only
# Somebody switches all probes off, before a watch and while it runs, and on again.
# Passes are far apart: that is noticed between them, too.
mount -t debugfs none /sys/kernel/debug 2>/dev/null
kprobes=/sys/kernel/debug/kprobes/enabled ftrace=/proc/sys/kernel/ftrace_enabled

# disarmed NAME SWITCH BEFORE DURING AFTER: what is written there when
disarmed() {
	rm -f /out
	echo $3 >$2
	kcanary watch --sweep 600000 -j >/out 2>/err &
	watcher=$!
	until grep -qs '"type":"start"' /out; do sleep 0.1; done
	[ $3 = 1 ] || until grep -q 'runs no probes' /out; do sleep 0.1; done
	echo $4 >$2
	[ $4 = 1 ] || until grep -q 'runs no probes' /out; do sleep 0.1; done
	echo $5 >$2
	# Those placed while all were off stay off (enable_kprobe() in kernel/kprobes.c).
	[ $3$4 != 10 ] || until grep -q 'runs probes again' /out; do sleep 0.1; done
	kill -INT $watcher
	wait $watcher
	echo "$1: status $?"
	sed "s/^/$1:out: /" /out
	echo 1 >$2
}
disarmed alive $kprobes 1 1 1
disarmed before $kprobes 0 0 1
disarmed during $kprobes 1 0 1
if echo 0 >$ftrace; then
	disarmed ftrace $ftrace 1 0 1
fi
