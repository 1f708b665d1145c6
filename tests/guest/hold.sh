# SPDX-License-Identifier: GPL-2.0-only
# usage: hold.sh SECONDS
# Threads of App01 with damaged frames are held in place: the end of their sleep and SIGKILL do not
# move them, nor does kcanary's own end. What freezing would wake is not held.
wait=$1
insmod /lib/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
kcanary held
kcanary release 1
echo "release 1: status $?"
# Who sleeps for half a minute is held meanwhile; who polls, for longer than that takes.
app01 600 >other &
other=$!
until grep -qs ready other; do sleep 0.1; done
app01 30 >app &
app=$!
until grep -qs ready app; do sleep 0.1; done
ends=$(($(cut -d. -f1 /proc/uptime) + 32))
sleeper=$(sed -n 's/^a01-sleep //p' app)
waiter=$(sed -n 's/^a01-futex-t //p' app)
poller=$(sed -n 's/^a01-poll //p' other)
echo "guest: sleeper $sleeper waiter $waiter poller $poller"
kcanary watch -n App01 --sweep 100 --max-cpu 100 --no-probes --hold-victim -j -o out 2>err &
watcher=$!
until grep -qs '"type":"start"' out; do sleep 0.1; done
echo "overflow nanosleep $sleeper 16" >$control || echo "guest: sleeper not damaged"
echo "overflow futex $waiter 16" >$control || echo "guest: waiter not damaged"
until [ "$(grep -c '"type":"notice"' out)" -ge 2 ]; do sleep 0.1; done
echo "oom while held: $(cat /proc/$app/oom_score_adj)"
kill -9 $watcher
wait $watcher
# The slot of a frame that a poll goes back through; turned around again before it does.
n=0
while echo "canary $poller $n" 2>/dev/null >$control; do n=$((n + 1)); done
kcanary watch -t $poller --sweep 100 --no-probes --hold-victim -j -o polled -d 2 2>err2
echo "restore $n" >$control
kcanary held
kill -9 $other
# The end of their sleep, and then what nothing survives.
while [ "$(cut -d. -f1 /proc/uptime)" -lt $ends ]; do sleep 1; done
kill -9 $app
sleep $wait
for tid in $sleeper $waiter; do
	grep -s "^State" /proc/$app/task/$tid/status || echo "guest: $tid is gone"
done
kcanary release $sleeper 2>&1
echo "release of what is damaged: status $?"
echo restore >$control
for tid in $sleeper $waiter; do
	kcanary release $tid 2>&1
	echo "release of what is whole: status $?"
done
wait $app
echo "app: status $?"
kcanary held
sed 's/^/out: /' out
sed 's/^/polled: /' polled
sed 's/^/err: /' err err2
rmmod stackfault
