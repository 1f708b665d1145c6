# SPDX-License-Identifier: GPL-2.0-only
# A return address of each of App01's sleeping threads becomes another one of its stack, which
# nothing but an earlier look at the same sleep tells: while a module is loaded, and then another
# one of the same stack, and one of a deep stack. Then they are put back, the later ones first.
control=/sys/kernel/debug/stackfault
app01 600 >app &
pid=$!
until grep -qs ready app; do sleep 0.1; done
kcanary watch --no-probes --sweep 1000 --max-cpu 100 -j >out 2>err &
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
places() { # of a thread, innermost first
	sed -n 's/^\[<0>\] //p' /proc/$1/stack
}
changed=0
reroute() { # TID PLACE
	echo "reroute $1 ${2%%+*}" 2>/dev/null >$control || return
	changed=$((changed + 1))
	echo "changed: $1 ${2%%/*}"
}
# round K: each thread's another one of its first three
round() {
	n=$1
	for tid in $tids; do
		reroute $tid "$(sed -n "$((n % 3 + 1))p" places-$tid)"
		n=$((n + 1))
	done
	until [ "$(grep -c '"type":"finding"' out)" -ge $changed ]; do sleep 0.2; done
}
tids="$pid $(sed -n 's/^a01-[a-z-]* //p' app)"
for tid in $tids; do places $tid >places-$tid; done
wait_for_passes
insmod /lib/stackfault.ko || exit 90
round 0
first=$changed
echo "linger 80" >$control &
deep=$!
until grep -qs stackfault_linger /proc/$deep/stack; do sleep 0.1; done
wait_for_passes
# The innermost of 80, and one behind them all, which /proc does not show.
reroute $deep "$(places $deep | grep -m 1 stackfault_linger)"
reroute $deep "$(places self | grep do_syscall_64)"
round 1
wait_for_passes
echo "restore $((changed - first))" >$control
wait_for_passes
echo restore >$control
wait_for_passes
kill -INT $watcher
wait $watcher
echo "watch: status $?"
sed 's/^/watch:out: /' out
kcanary audit -j | sed 's/^/restored:out: /'
kill -9 $pid $deep
