# SPDX-License-Identifier: GPL-2.0-only
# In a guest: system calls a second with nothing, with empty programs on the same
# points, with kcanary's; each kind in turn, three times.
watching() { # PROGRAM: a watch over what the calls go through, without the sweep's noise
	$1 watch -t 1 --sweep 3600000 -f hrtimer_nanosleep -f do_nanosleep -f futex_wait \
		-f futex_wake -f do_sys_poll >out 2>/dev/null &
	watcher=$!
	until grep -qs '^live probes' out; do sleep 0.1; done
	sleep 1
}
for round in 1 2 3; do
	for program in none kcanary-empty kcanary bpftrace; do
		case $program in
		none) ;;
		bpftrace)
			[ -e /bin/bpftrace ] || continue
			bpftrace /hand.bt >out 2>&1 &
			watcher=$!
			until grep -q '^Attaching\|armed' out; do sleep 0.2; done
			sleep 3 ;;
		*) watching $program ;;
		esac
		for what in futex nanosleep poll; do echo "$program $(calls $what 4)"; done
		[ $program = none ] || { kill -INT $watcher; wait $watcher; }
	done
done
