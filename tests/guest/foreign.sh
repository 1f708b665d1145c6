# SPDX-License-Identifier: GPL-2.0-only
# Somebody else's kprobes, there before anybody looks: on entries, seals, both halves of checks
# and calls, as breakpoints and as optimized jumps. And two watches of the same functions at once.
insmod /lib/stackfault.ko || exit 90
echo 1 >/sys/kernel/rcu_expedited # removing a probe waits for RCU
cd /sys/kernel/tracing || exit 91
functions="hrtimer_nanosleep do_nanosleep stackfault_checked"
for function in $functions; do
	wanted="$wanted -f $function"
done

# look: plans of these functions, and what would be probed in them
look() {
	for function in $functions; do
		kcanary functions -j $function | grep '"type":"plan"'
	done
	kcanary watch --dry-run $wanted
}

# begin NAME OPTION...: a watch, its number in $watcher
begin() {
	name=$1
	shift
	rm -f /tmp/$name
	kcanary watch -j "$@" >/tmp/$name 2>/tmp/$name.err &
	watcher=$!
	until grep -qs '"type":"start"' /tmp/$name; do sleep 0.1; done
}

# end NAME NUMBER: and what it said
end() {
	kill -INT $2
	wait $2
	echo "$1: status $?"
	sed "s/^/$1:out: /" /tmp/$1
}

app01 600 >/tmp/app &
until grep -qs ready /tmp/app; do sleep 0.1; done

begin one -n App01 $wanted --max-cpu 100
first=$watcher
begin two -n App01 $wanted --max-cpu 100
echo "checked 5000" >/sys/kernel/debug/stackfault
end one $first
end two $watcher

look >/tmp/plain
for function in $functions; do
	kcanary explain $function >/tmp/listing
	for offset in $(sed -n -e 's/^[| ] *+\(0x[0-9a-f]*\) .*<- \(seal\|check\).*/\1/p' \
		-e 's/^|  *+\(0x[0-9a-f]*\) *callq .*/\1/p' /tmp/listing) 0x0; do
		echo "p:other${function}_$offset $function+$offset" >>kprobe_events && echo "$function+$offset"
	done
done >/tmp/placed 2>/tmp/refused # of those after the check, for one
echo "placed: $(wc -l </tmp/placed), $(grep -c '^stackfault_checked' /tmp/placed) in stackfault_checked"
for jumps in 0 1; do
	echo $jumps >/proc/sys/debug/kprobes-optimization
	echo 1 >events/kprobes/enable || exit 92
	until [ $jumps = 0 ] || grep -q 'stackfault_checked+.*\[OPTIMIZED\]' /sys/kernel/debug/kprobes/list; do
		sleep 0.1
	done
	# Jumps are written some time after they are listed.
	look | cmp - /tmp/plain && echo "jumps $jumps: the same"
	begin jumps$jumps -n App01 --sweep 100 --max-cpu 100 $wanted
	echo "checked 5000" >/sys/kernel/debug/stackfault
	look | cmp - /tmp/plain && echo "jumps $jumps: still the same"
	end jumps$jumps $watcher
	echo 0 >events/kprobes/enable
done
