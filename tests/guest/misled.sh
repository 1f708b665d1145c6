# SPDX-License-Identifier: GPL-2.0-only
# A return address of each of App01's sleeping threads becomes another one of its stack before
# anybody looks: one place further out in each round. No slot is damaged.
control=/sys/kernel/debug/stackfault
insmod /lib/stackfault.ko || exit 90
places() { # of a thread, innermost first
	sed -n 's/^\[<0>\] //p' /proc/$1/stack
}
jumps_indirectly() { # FUNCTION TIMES: it does, or one that it goes on to by so many jumps
	kcanary explain $1 >listing-$2
	grep -q 'jmpq\{0,1\} *\(\*\|.*indirect_thunk\)' listing-$2 && return 0
	[ $2 -gt 0 ] || return 1
	for function in $(sed -n 's/.* jmpq\{0,1\} *\([a-z_][A-Za-z0-9_.]*\)$/\1/p' listing-$2 | sort -u); do
		jumps_indirectly $function $(($2 - 1)) && return 0
	done
	return 1
}
for round in 1 2 3; do
	app01 600 >app-$round &
	pid=$!
	until grep -qs ready app-$round; do sleep 0.1; done
	tids="$pid $(sed -n 's/^a01-[a-z-]* //p' app-$round)"
	for tid in $tids; do
		until [ -n "$(places $tid)" ]; do sleep 0.1; done
		place=$(places $tid | sed -n "${round}p")
		echo "reroute $tid ${place%%+*}" 2>/dev/null >$control && echo "changed: $tid"
	done
	kcanary audit -v -j >out 2>err
	echo "audit: status $?"
	sed 's/^/audit:out: /' out
	sed 's/^/audit:err: /' err
	sed -n '/"type":"finding"/p' out >findings
	while read -r finding; do
		place=$(echo "$finding" | sed 's/.*"code":{"function":"\([^"]*\)","module":null,"offset":"\([^"]*\)".*/\1+\2/')
		below=$(echo "$finding" | grep -o '"#[0-9]* [^"]*' | sed '/DAMAGED/q' | tail -n 2 |
			awk 'NR == 1 { sub(/[+].*/, "", $4); print $4 }')
		before=$(kcanary explain ${place%+*} | sed 's/^[| ?]*//' |
			awk -v at="+${place#*+}" '$1 == at { print before } { before = $0 }')
		case $before in
		*indirect_thunk* | *'*'*) ;;
		*)
			jumps_indirectly "${before##* }" 2 && before="$before, which jumps indirectly"
			grep -q "jmpq\{0,1\} *$below\$" listing-2 && before="$before, which jumps there"
			;;
		esac
		echo "told: $place behind $before"
	done <findings
	echo restore >$control
	kcanary audit -j | sed 's/^/restored:out: /'
	kill -9 $pid
	wait
done

# The same above a frame like its own, of a thread that nobody has looked at yet, where a watch has
# met all the places: it looks at none until then. A marker's finding ends a pass over all tasks.
linger() { # its thread
	sh -c 'echo $$ >lingers; exec echo "linger 5" >/sys/kernel/debug/stackfault' &
	until [ -s lingers ] && grep -q stackfault_linger "/proc/$(cat lingers)/stack"; do
		sleep 0.1
	done
	cat lingers
	rm lingers
}
mark() { # TID: damage a sleeper, and wait until it is told
	until echo "canary $1 0" 2>/dev/null >$control; do sleep 0.1; done
	until grep -q '"process":{"pid":'$1',' marked; do sleep 0.1; done
}
stopped() {
	! cat /proc/$1/task/*/stat | grep -qv '^[0-9]* (.*) T '
}
sleep 1000 &
early=$!
sleep 1000 &
late=$!
first=$(linger)
kcanary watch --no-probes --sample 0 --sweep 1000 --max-cpu 100 -v -j >marked 2>err &
watcher=$!
until grep -qs '"type":"start"' marked; do sleep 0.1; done
mark $early
kill -STOP $watcher
until stopped $watcher; do sleep 0.1; done
second=$(linger)
echo "reroute $second stackfault_linger" >$control && echo "rerouted: $second"
kill -CONT $watcher
mark $late
kill -INT $watcher
wait $watcher
echo "watch: status $?"
echo "marked: $early $late"
sed 's/^/watch:out: /' marked
sed 's/^/watch:err: /' err
echo restore >$control
kill -9 $first $second $early $late
