# SPDX-License-Identifier: GPL-2.0-only
# Mismatches of threads within the watched cgroup and without: a kprobe of the module flips the
# slot before kcanary's looks, and another flips it back after.
insmod /lib/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
mount -t cgroup2 none /sys/fs/cgroup
mkdir /sys/fs/cgroup/watched || exit 90
load=$(kcanary explain stackfault_checked | grep 'check: loads the slot\|check: compares' | head -n 1)
offset=$((0x$(echo "$load" | sed 's/.*+0x\([0-9a-f]*\) .*/\1/')))
disp=$((0x$(echo "$load" | sed 's/.* 0x\([0-9a-f]*\)(%rsp).*/\1/')))

# called NAME CGROUP: twenty calls from there with the slot flipped while kcanary looks
called() {
	echo "hook slot $offset $disp" >$control
	rm -f out
	kcanary watch -c /watched -f stackfault_checked --sample 0 -j >out 2>err &
	watcher=$!
	until grep -qs '"type":"start"' out; do sleep 0.1; done
	echo "hook slot $offset $disp" >$control
	sh -c "echo \$\$ >$2/cgroup.procs; echo caller: \$\$; echo checked 20 >$control"
	[ $1 = stranger ] || until grep -qs '"type":"finding"' out; do sleep 0.1; done
	echo unhook >$control
	kill -INT $watcher
	wait $watcher
	echo "$1: status $?"
	sed "s/^/$1:out: /" out
}
called stranger /sys/fs/cgroup
called member /sys/fs/cgroup/watched
