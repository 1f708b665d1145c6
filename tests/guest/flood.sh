# SPDX-License-Identifier: GPL-2.0-only
# Thousands of mismatches a second that hurt nobody: a kprobe of the module flips the
# slot before kcanary's looks, and another flips it back after. No samples: one that falls
# between the two sees a difference that no second confirms.
insmod /lib/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
load=$(kcanary explain stackfault_checked | grep 'check: loads the slot\|check: compares' | head -n 1)
echo "load: $load"
offset=$(echo "$load" | sed 's/.*+0x\([0-9a-f]*\) .*/\1/' | head -n 1)
disp=$(echo "$load" | sed 's/.* 0x\([0-9a-f]*\)(%rsp).*/\1/')

# hooked NAME KIND FUNCTION ROUNDS [OPTION...]: a watch over FUNCTION, 100 calls unharmed,
# then 20,000 in each round with what KIND says flipped while kcanary looks
hooked() {
	name=$1 kind=$2 function=$3 rounds=$4
	shift 4
	echo "hook $kind $((0x$offset)) $((0x$disp))" >$control
	rm -f out
	kcanary watch -f $function --sample 0 "$@" -j >out 2>err &
	watcher=$!
	until grep -qs '"type":"start"' out; do sleep 0.1; done
	echo "checked 100" >$control # unharmed
	echo "hook $kind $((0x$offset)) $((0x$disp))" >$control
	start=$(cut -d' ' -f1 /proc/uptime)
	round=0
	while [ $round -lt $rounds ]; do
		echo "checked 20000" >$control
		round=$((round + 1))
	done
	echo "$name: from $start to $(cut -d' ' -f1 /proc/uptime)"
	sleep 1
	echo unhook >$control
	kill -INT $watcher
	wait $watcher
	echo "$name: status $?"
	sed "s/^/$name:out: /" out
	sed "s/^/$name:err: /" err
}
hooked flood slot stackfault_checked 5
hooked stranger slot stackfault_checked 1 -n nobody
hooked guard guard stackfault_checked 1
disp=0
hooked return return stackfault_plain 1
