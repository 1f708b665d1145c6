# SPDX-License-Identifier: GPL-2.0-only
# One fault after another in sleeping threads of App01, an audit of the process for each, undone.
insmod /lib/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
app01 600 >app &
pid=$!
until grep -qs ready app; do sleep 0.1; done
thread() {
	sed -n "s/^a01-$1 //p" app
}
sleeper=$(thread sleep)
# audited NAME: what an audit of the process tells, and the fault undone
audited() {
	kcanary audit -p $pid -j >out 2>err
	echo "$1: status $?"
	sed "s/^/$1:out: /" out
	sed "s/^/$1:err: /" err
	echo restore >$control
}
# The nth word of it that holds the canary is the slot of hrtimer_nanosleep.
nth=0
while echo "canary $sleeper $nth" >$control; do
	kcanary audit -p $pid -j >out 2>err
	echo restore >$control
	! grep '"type":"finding"' out | grep -q '"function":"hrtimer_nanosleep"' || break
	nth=$((nth + 1))
done
audited nothing
echo "overflow nanosleep $sleeper 16" >$control && audited overflow
echo "overflow futex $(thread futex-t) 24" >$control && audited overflow-futex
for what in byte bit decrement zero static canary same; do
	echo "plant $sleeper $nth $what" >$control && audited $what
done
echo "canary $sleeper $nth" >$control && audited other
echo "return $sleeper 2" >$control && audited return
echo "end $sleeper" >$control && audited end
# What was changed is no canary any more, and the next one is the first.
while echo "canary $sleeper 0" 2>/dev/null >$control; do :; done
audited stack
for name in sleep futex-t poll pipe; do
	while echo "canary $(thread $name) 0" 2>/dev/null >$control; do :; done
done
audited threads
audited undone
kill -9 $pid
rmmod stackfault
