# SPDX-License-Identifier: GPL-2.0-only
# However a watch ends, nothing of it stays in the kernel; and as long as any of its probes is
# there, the tripwire is.
before=$(leftovers)
echo "before: $before"
for signal in INT TERM KILL SEGV; do
	rm -f out err
	kcanary watch --sweep 100 >out 2>err &
	watcher=$!
	until grep -qs 'watching' err; do sleep 0.1; done
	while_running=$(leftovers)
	kill -$signal $watcher
	while [ $signal != KILL ] && [ $signal != SEGV ] && kill -0 $watcher 2>/dev/null; do
		probes=$(cat /sys/kernel/debug/kprobes/list)
		case $probes in
		*' panic+'* | '') ;;
		*) echo "$signal: no tripwire, but $(echo "$probes" | wc -l) probes" ;;
		esac
		sleep 0.1
	done
	wait $watcher
	status=$?
	grep -q 'longer than promised' err && echo "$signal: late"
	tries=0 # programs go after a grace period
	while [ "$(leftovers)" != "$before" ] && [ $tries -lt 200 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	echo "$signal: status $status, before: $before, during: $while_running, after: $(leftovers)"
done
