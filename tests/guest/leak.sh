# SPDX-License-Identifier: GPL-2.0-only
# No canary, whole or any five bytes of it, in what kcanary writes, records or remembers.
insmod /lib/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
app01 300 >app &
until grep -qs ready app; do sleep 0.1; done
kcanary watch --sweep 50 --max-cpu 100 -j -v -v -o watch.json --record tape 2>watch.err &
watcher=$!
until grep -qs '"type":"start"' watch.json; do sleep 0.1; done
# Slots and stale copies alike are turned around, so that findings are made.
for tid in $(sed -n 's/^a01-[a-z-]* //p' app); do
	for n in 0 1 2; do echo "canary $tid $n" >$control; done
done
secret=a1b2c3d4e5f60700
# Threads come and go, and so do canaries; on a busy machine it takes longer to see many.
while [ "$(sort -u canaries 2>/dev/null | wc -l)" -le 150 ]; do
	load 10 >/dev/null 2>&1 &
	load=$!
	# Nor what a program has in its registers while it is in no system call.
	faulter $secret 10 &
	while kill -0 $load 2>/dev/null; do
		cat $control-canaries >>canaries
		sleep 0.2
	done
done
kcanary audit -v >audit.out 2>audit.err
cat $control-canaries >>canaries
kill -STOP $watcher
{ sort -u canaries; echo "0 $secret"; } >all
untape tape >untaped || echo "untape: $?"
leak all -p $watcher watch.json watch.err audit.out audit.err tape untaped
echo "leak: status $?"
# That the search can find one: five bytes of some canary, among other things.
canary=$(head -n 1 all | cut -d' ' -f2)
printf 'text' >planted
for at in 3 5 7 9 11; do printf "\\x$(echo $canary | cut -c$at-$((at + 1)))"; done |
	od -An -tx1 | tr -d '\n' | awk '{for (i = NF; i; i--) printf "\\x%s", $i}' >escaped
printf "$(cat escaped)" >>planted
leak all planted
echo "planted: status $?"
echo restore >$control
kill -CONT $watcher
kill -INT $watcher
wait $watcher
echo "watch: status $?"
grep -c '"type":"finding"' watch.json | sed 's/^/findings: /'
