# SPDX-License-Identifier: GPL-2.0-only
# Damage every word on App01's sleeping stacks that holds the canary, or looks
# like a return address, one of each thread at a time; an audit after each.
insmod /lib/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
app01 600 >app &
pid=$! # all tasks are audited: the others show where frames lie
until grep -qs ready app; do sleep 0.1; done
tids="$pid $(sed -n 's/^a01-[a-z-]* //p' app)"

# round NAME KIND N: damage, audit, undo; false if no thread has an Nth such word
round() {
	poked=
	for tid in $tids; do
		echo "$2 $tid $3" 2>/dev/null >$control && poked="$poked $tid"
	done
	[ -n "$poked" ] || return 1
	kcanary audit -j 2>err >out
	echo "$1:status: $?"
	sed "s/^/$1:out: /" out
	sed "s/^/$1:err: /" err
	echo "$1:poked:$poked"
	echo restore >$control
}

kcanary audit -p $pid -j | sed 's/^/whole:out: /'
n=0
while round canary-$n canary $n; do n=$((n + 1)); done 2>/dev/null
n=0
while [ $n -lt 8 ] && round return-$n return $n; do n=$((n + 1)); done 2>/dev/null
round end end 0
kcanary audit -p $pid -j | sed 's/^/restored:out: /'
kill -9 $pid
