# SPDX-License-Identifier: GPL-2.0-only
# usage: sweep.sh COUNT...
# In a guest: the sweep over COUNT sleeping threads, and /proc/PID/stack of the same.
echo 100000 >/proc/sys/kernel/threads-max
echo 100000 >/proc/sys/kernel/pid_max
for count in $*; do
	rm -f ready
	sleepers $count >ready &
	until grep -qs ready ready; do sleep 0.2; done
	pid=$(pidof sleepers)
	for period in 1000 100; do
		echo "sweep $count $period $(kcanary watch -p $pid --sweep $period --max-cpu 100 \
			-d 8 -j | grep '"type":"stats"' | tail -n 1)"
	done
	echo "proc $count $(sleepers read $pid)"
	kill -9 $pid
	wait
done
