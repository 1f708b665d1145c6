# SPDX-License-Identifier: GPL-2.0-only
# Text that is not as it was compiled: a watch that starts while breakpoints lie
# on the checks of the very functions that App01's threads sleep in.
echo 1 >/sys/kernel/rcu_expedited
app01 200 >app &
until grep -qs ready app; do sleep 0.1; done
kcanary prove -N 20 -d 100 -f hrtimer_nanosleep -f do_nanosleep -f do_sys_poll -f do_select \
	-f do_epoll_wait -f '*futex_wait*' -f '*pipe_read' -f unix_stream_read_generic -f __schedule \
	2>err >out &
prover=$!
until grep -qs 'probing' err; do sleep 0.2; done
kcanary watch -n App01 --sweep 50 --max-cpu 100 -d 5 -j
echo "watch: status $?"
kill -INT $prover
wait $prover
echo "prove: status $?"
cat err out
