# SPDX-License-Identifier: GPL-2.0-only
# A watch is recorded while modules come, slots are damaged and mended, stacks are exhausted
# and a probed function is called; what it told and the recording are left on the disk.
control=/sys/kernel/debug/stackfault
app01 300 >app &
until grep -qs ready app; do sleep 0.1; done
echo "stext: $(grep -w _stext /proc/kallsyms | cut -d" " -f1)"
# Events hold a CPU, too: evidence is on the tape, and has numbers of its own.
kcanary record /mnt/tape -n App01 --sweep 100 --max-cpu 100 --headroom 15800 \
	-j -o /mnt/live 2>/mnt/err &
watcher=$!
until grep -qs '"type":"start"' /mnt/live; do sleep 0.1; done
insmod /lib/stackfault.ko || exit 90 # the kernel is learned again
for tid in $(sed -n 's/^a01-[a-z-]* //p' app); do
	for n in 0 1 2; do echo "canary $tid $n" >$control; done
	echo "return $tid 2" >$control
	echo "end $tid" >$control
done
until [ "$(grep -c '"type":"finding"' /mnt/live)" -ge 10 ]; do sleep 0.2; done
echo restore >$control
sleep 1
tid=$(sed -n 's/^a01-sleep //p' app)
echo "canary $tid 0" >$control # news: it was mended
sleep 1
echo restore >$control
kill -INT $watcher
wait $watcher
echo "record: status $?"
kcanary replay /mnt/tape -j >/mnt/replayed
echo "replay: status $?"
cmp /mnt/live /mnt/replayed && echo "replay: the same"
echo "at a glance: $(grep -c 'kcanary: FINDING ' /mnt/err)"
kcanary replay /mnt/tape 2>&1 | grep -c FINDING | sed 's/^/text findings: /'
ls -l /mnt/tape | awk '{print "tape: " $1, $5 " bytes"}'

# What probes see: a guard that differs for the probe's eyes, a function that is entered deep.
load=$(kcanary explain stackfault_checked | grep 'check: loads the slot\|check: compares' | head -n 1)
offset=$((0x$(echo "$load" | sed 's/.*+0x\([0-9a-f]*\) .*/\1/')))
disp=$((0x$(echo "$load" | sed 's/.* 0x\([0-9a-f]*\)(%rsp).*/\1/')))
echo "hook guard $offset $disp" >$control
kcanary record /mnt/probed -f stackfault_checked -f stackfault_plain -f stackfault_dive \
	-j -o /mnt/probed-live 2>/dev/null &
watcher=$!
until grep -qs '"type":"start"' /mnt/probed-live; do sleep 0.1; done
echo "hook guard $offset $disp" >$control
echo "checked 20" >$control
echo unhook >$control
echo "dive 1500" >$control
until grep -qs '"anomaly":"headroom"' /mnt/probed-live; do sleep 0.1; done
kill -INT $watcher
wait $watcher
echo "probed: status $?"
kcanary replay /mnt/probed -j >/mnt/probed-replayed
cmp /mnt/probed-live /mnt/probed-replayed && echo "probed: the same"

# What samples see, which are not on the tape but for what they find; and the module comes anew.
kcanary record /mnt/sampled --sample 49 -j -o /mnt/sampled-live 2>/dev/null &
watcher=$!
until grep -qs '"type":"start"' /mnt/sampled-live; do sleep 0.1; done
for n in 1 2 3; do
	sh -c "echo toil 120000 8 >$control" &
	toiler=$!
	until [ "$(grep -c '"engine":"sample"' /mnt/sampled-live)" -ge $n ]; do sleep 0.1; done
	sleep 2 # it is told again meanwhile
	kill -9 $toiler
	wait $toiler
done
rmmod stackfault && insmod /lib/stackfault.ko || exit 90
sleep 3
kill -INT $watcher
wait $watcher
echo "sampled: status $?"
kcanary replay /mnt/sampled -j >/mnt/sampled-replayed
cmp /mnt/sampled-live /mnt/sampled-replayed && echo "sampled: the same"

kcanary record /mnt/tape -d 1; echo "again: status $?"
ln -s /mnt/nowhere /mnt/link
kcanary record /mnt/link -d 1; echo "link: status $?"
ls /mnt/nowhere 2>/dev/null
mkdir -p /small && mount -t tmpfs -o size=64k none /small
kcanary record /small/tape --sweep 10 --max-cpu 100 >/dev/null 2>small.err &
watcher=$!
until grep -q 'the recording ends here' small.err; do sleep 0.2; done
kill -INT $watcher
wait $watcher
echo "small disk: status $?"
sed 's/^/small: /' small.err
kcanary record /max --max-size 1 -d 1 >/dev/null 2>max.err
echo "max: $(ls -l /max | awk '{print $5 <= 1048576}')"
sync
