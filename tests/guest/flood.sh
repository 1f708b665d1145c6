# SPDX-License-Identifier: GPL-2.0-only
# Thousands of mismatches a second that hurt nobody: a kprobe of the module flips the
# slot before kcanary's looks, and another flips it back after.
insmod /lib/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
load=$(kcanary explain stackfault_checked | grep 'check: loads the slot\|check: compares' | head -n 1)
echo "load: $load"
offset=$(echo "$load" | sed 's/.*+0x\([0-9a-f]*\) .*/\1/' | head -n 1)
disp=$(echo "$load" | sed 's/.* 0x\([0-9a-f]*\)(%rsp).*/\1/')
echo "hook $((0x$offset)) $((0x$disp))" >$control
kcanary watch -f stackfault_checked -j --sweep 1000 >out 2>err &
watcher=$!
until grep -qs '"type":"start"' out; do sleep 0.1; done
echo "checked 100" >$control # unharmed
echo "hook $((0x$offset)) $((0x$disp))" >$control
start=$(cut -d' ' -f1 /proc/uptime)
for round in 1 2 3 4 5; do echo "checked 20000" >$control; done
echo "flood: from $start to $(cut -d' ' -f1 /proc/uptime)"
sleep 1
kill -INT $watcher
wait $watcher
echo "flood: status $?"
cat out err
