# SPDX-License-Identifier: GPL-2.0-only
# A fork bomb in a cgroup that holds a hundred goes off under two watches: one of all tasks, which
# ends by itself meanwhile, and one that slots are damaged under, before the bomb is gone and after.
control=/sys/kernel/debug/stackfault
group=/sys/fs/cgroup/bomb
insmod /lib/stackfault.ko || exit 90
mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 90
echo +pids >/sys/fs/cgroup/cgroup.subtree_control && mkdir $group || exit 90
echo 100 >$group/pids.max
app01 1200 >app &
until grep -qs ready app; do sleep 0.1; done
sleeper=$(sed -n 's/^a01-sleep //p' app)
poller=$(sed -n 's/^a01-poll //p' app)

# Passes have their raised priority when the first is over, which is dear.
passes() { until [ "$(cut -d" " -f19 /proc/$1/stat)" = -20 ]; do sleep 0.1; done; }
kcanary watch -n App01 --no-probes -j >damaged 2>damaged.err &
damaged=$!
passes $damaged
kcanary watch -d 8 -j >bombed 2>bombed.err &
bombed=$!
passes $bombed
memory() { awk '/^VmHWM:/ { print $2 }' /proc/$bombed/status 2>/dev/null; }
first=$(memory)

# Each forks two of its kind, runs a program, and ends; so does one that may not fork. Should all
# have met the limit at once, another one comes.
cat >bomb <<-END
	sh /tmp/bomb & sh /tmp/bomb &
	/bin/true
END
(while sleep 0.1; do sh -c "echo 0 >$group/cgroup.procs && exec sh /tmp/bomb"; done) 2>/dev/null &
feeder=$!
refused() { sed -n 's/^max //p' $group/pids.events; }
# more COUNT: until that many more forks were refused
more() {
	goal=$(($(refused) + $1))
	until [ "$(refused)" -ge $goal ]; do sleep 0.1; done
}
more 100
grep -q '"type":"stop"' bombed || echo "it goes off while both watch"
until grep -q '"type":"stop"' bombed; do
	now=$(memory)
	peak=${now:-$peak}
	sleep 0.1
done
wait $bombed
echo "bombed: status $?"
echo "refused by then: $(refused)"
echo "memory: $first kB at first, $peak kB at most"

more 100
echo "refused later: $(refused)"
grep -c '"type":"finding"' damaged | sed 's/^/findings before: /'
echo "canary $sleeper 0" >$control
until grep -qs '"type":"finding"' damaged; do sleep 0.1; done
more 100
kill -9 $feeder
wait $feeder 2>/dev/null
until [ "$(cat $group/pids.current)" = 0 ]; do
	if [ -e $group/cgroup.kill ]; then
		echo 1 >$group/cgroup.kill
	else
		kill -9 $(cat $group/cgroup.procs) 2>/dev/null
	fi
	sleep 0.1
done
echo "the bomb is gone"
echo "canary $poller 0" >$control
until [ "$(grep -c '"type":"finding"' damaged)" -ge 2 ]; do sleep 0.1; done
echo restore >$control
kill -INT $damaged
wait $damaged
echo "damaged: status $?"
for name in bombed damaged; do
	sed "s/^/$name:out: /" $name
	sed "s/^/$name:err: /" $name.err
done
