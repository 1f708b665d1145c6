# SPDX-License-Identifier: GPL-2.0-only
# usage: probes.sh FUNCTIONS
# In a guest: system calls a second with nothing, with empty programs on the same
# points, with kcanary's, with bpftrace's if there is one; in turn, three times.

# The kernel makes jumps of breakpoints, some seconds after they were placed.
settle() {
	jumps=-1
	while [ $jumps != "$(grep -c OPTIMIZED /sys/kernel/debug/kprobes/list)" ]; do
		jumps=$(grep -c OPTIMIZED /sys/kernel/debug/kprobes/list)
		sleep 4
	done
	echo "$1: $(wc -l </sys/kernel/debug/kprobes/list) kprobes, $jumps of them jumps"
}

# start COMMAND...: in the background, until it says that its probes are placed
start() {
	rm -f out
	"$@" >out 2>&1 &
	watcher=$!
	until grep -qs -e 'kcanary: live probes' -e '^armed' out || ! kill -0 $watcher; do sleep 0.2; done
	kill -0 $watcher || { cat out; exit 1; } # it could not start
	settle $1
}
# One thread's sweep, once an hour: only the probes are measured. The threads that wait
# for a CPU to be held cost wake-ups of their own.
for round in 1 2 3; do
	for program in none empty kcanary kcanary-hold bpftrace; do
		case $program in
		none) ;;
		empty) start kcanary-empty watch -t 1 --sweep 3600000 --hold-off 0 $1 ;;
		kcanary) start kcanary watch -t 1 --sweep 3600000 --hold-off 0 $1 ;;
		kcanary-hold) start kcanary watch -t 1 --sweep 3600000 $1 ;;
		bpftrace)
			[ -e /bin/bpftrace ] || continue
			# --unsafe: it can't see where instructions begin
			start bpftrace --unsafe /hand.bt ;;
		esac
		for what in futex nanosleep poll wake; do echo "$program $(calls $what 4)"; done
		[ $program = none ] || { kill -INT $watcher; wait $watcher; }
	done
done
