# SPDX-License-Identifier: GPL-2.0-only
# A kernel address in a canary's slot: what it points to is told. An audit for each kind.
insmod /lib/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
app01 300 >app &
pid=$!
until grep -qs ready app; do sleep 0.1; done
tid=$(sed -n 's/^a01-pipe //p' app) # of the first
echo "shell: $$"
for what in slab page percpu vmalloc static stack task canary; do
	[ $what = page ] && tid=$(sed -n 's/^a01-sleep //p' app)
	n=0
	while echo "plant $tid 0 $what" 2>/dev/null >$control; do n=$((n + 1)); done
	kcanary audit -t $tid -j >out 2>err
	echo "$what: status $? after $n"
	sed "s/^/$what:out: /" out
	sed "s/^/$what:err: /" err
	if [ $what = slab ]; then
		kcanary audit -t $tid 2>/dev/null | sed "s/^/text: /"
	fi
	echo restore >$control
done
kill -9 $pid
rmmod stackfault
