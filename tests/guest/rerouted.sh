# SPDX-License-Identifier: GPL-2.0-only
# A return address of each of App01's sleeping threads becomes another one of its stack, which
# nothing but an earlier look at the same sleep tells; and then what it was.
control=/sys/kernel/debug/stackfault
insmod /lib/stackfault.ko || exit 90
app01 600 >app &
pid=$!
until grep -qs ready app; do sleep 0.1; done
kcanary watch -p $pid --no-probes --sweep 200 --max-cpu 100 -j >out 2>err &
watcher=$!
until grep -qs '"type":"start"' out; do sleep 0.1; done
passes() { # that have begun: each reads the list of modules
	sed -n 's/^rchar: //p' /proc/$watcher/io
}
wait_for_passes() {
	for pass in 1 2 3; do
		since=$(passes)
		until [ "$(passes)" != "$since" ]; do sleep 0.1; done
	done
}
wait_for_passes
n=0 changed=0
for tid in $pid $(sed -n 's/^a01-[a-z-]* //p' app); do
	# Innermost, and its callers: each thread's another one of the first three.
	place=$(sed -n "$((n % 3 + 1))s/^\[<0>\] //p" /proc/$tid/stack)
	n=$((n + 1))
	echo "reroute $tid ${place%%+*}" 2>/dev/null >$control || continue
	changed=$((changed + 1))
	echo "changed: $tid ${place%%/*}"
done
until [ "$(grep -c '"type":"finding"' out)" -ge $changed ]; do sleep 0.2; done
wait_for_passes
echo restore >$control
wait_for_passes
kill -INT $watcher
wait $watcher
echo "watch: status $?"
sed 's/^/watch:out: /' out
kcanary audit -p $pid -j | sed 's/^/restored:out: /'
kill -9 $pid
