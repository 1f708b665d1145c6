# SPDX-License-Identifier: GPL-2.0-only
# What a watch outlives: a disk that is full for a while, a file that is moved away, a stop; and how
# it ends when nobody reads, or the terminal is gone.
control=/sys/kernel/debug/stackfault
insmod /lib/stackfault.ko || exit 90
app01 600 >app &
until grep -qs ready app; do sleep 0.1; done
sleeper=$(sed -n 's/^a01-sleep //p' app)
poller=$(sed -n 's/^a01-poll //p' app)
until_has() { until grep -qs "$1" "$2"; do sleep 0.1; done; }

# A small disk that somebody fills: findings, until one does not fit; then there is room again.
mkdir -p /small && mount -t tmpfs -o size=64k none /small
kcanary watch -n App01 --no-probes --sweep 100 --max-cpu 100 -j -o /small/told 2>full.err &
watcher=$!
until_has '"type":"start"' /small/told
dd if=/dev/zero of=/small/filler bs=1k 2>/dev/null
count=0
until grep -qs 'cannot write to /small/told' full.err; do
	tid=$(sed -n 's/^a01-[a-z-]* //p' app | sed -n "$((count % 10 + 1))p")
	echo "canary $tid $((count / 10))" >$control
	count=$((count + 1))
	until [ "$(grep -c FINDING full.err)" -ge $count ]; do sleep 0.1; done
done
rm /small/filler
echo restore >$control
sleep 1
echo "canary $sleeper 0" >$control # news: it was mended
until_has 'works again' full.err
kill -INT $watcher
wait $watcher
echo "full: status $?"
echo restore >$control
sed 's/^/full:err: /' full.err
sed 's/^/full:out: /' /small/told

# The same to stdout, as text; and the disk stays full. It ends in time, and says why.
dd if=/dev/zero of=/small/filler bs=1k 2>/dev/null
echo "canary $sleeper 0" >$control
kcanary watch -n App01 --no-probes -d 2 >/small/text 2>text.err
echo "text: status $?"
echo restore >$control
sed 's/^/text:err: /' text.err
umount /small

# Rotated while slots are damaged: by a rename.
kcanary watch -n App01 --no-probes --sweep 100 --max-cpu 100 -j -o one 2>/dev/null &
watcher=$!
until_has '"type":"start"' one
echo "canary $sleeper 0" >$control
until_has '"type":"finding"' one
mv one two
kill -HUP $watcher
until_has '"type":"start"' one
echo "canary $poller 0" >$control
until_has '"type":"finding"' one
kill -TERM $watcher
wait $watcher
echo "rotated: status $?"
echo restore >$control
sed 's/^/two:out: /' two
sed 's/^/one:out: /' one
kcanary watch -n App01 --no-probes -o text 2>/dev/null &
watcher=$!
until_has '^watching' text
mv text text.1
kill -HUP $watcher
until_has '^watching' text
kill -INT $watcher
wait $watcher
echo "text rotated: status $?"
# Without a file it is the terminal that is gone.
kcanary watch -n App01 --no-probes 2>hup.err >hup.out &
watcher=$!
until_has watching hup.err
kill -HUP $watcher
wait $watcher
echo "hup: status $?"
sed 's/^/hup:err: /' hup.err

# Nobody reads: it ends at once, though it has nothing to write.
(kcanary watch -n App01 --no-probes -j 2>head.err; echo $? >ended) | head -n 1 >/dev/null
until [ -s ended ]; do sleep 0.1; done
echo "head: status $(cat ended)"
(kcanary watch -n App01 --no-probes 2>head.err; echo $? >ended.text) | true
until [ -s ended.text ]; do sleep 0.1; done
echo "head text: status $(cat ended.text)"
sed 's/^/head:err: /' head.err

# Stopped for longer than was promised, and then for no time at all.
for seconds in 4 0; do
	kcanary watch -n App01 --no-probes --sweep 100 --max-cpu 100 -j --record tape$seconds >gap 2>gap.err &
	watcher=$!
	until [ "$(wc -l <gap)" -ge 1 ]; do sleep 0.1; done
	sleep 1
	kill -STOP $watcher
	sleep $seconds
	kill -CONT $watcher
	sleep 1
	kill -INT $watcher
	wait $watcher
	echo "gap$seconds: status $?"
	sed "s/^/gap$seconds:out: /" gap
	kcanary replay tape$seconds -j | cmp - gap && echo "gap$seconds: the same"
done
