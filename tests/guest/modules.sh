# SPDX-License-Identifier: GPL-2.0-only
# Functions of a module have plans too; /proc/kcore tells the same as BPF; a module
# that comes and goes disturbs nobody, and takes its probes along, which is told; when it comes
# back, so do they.
insmod /lib/stackfault.ko || exit 90
kcanary functions control_write
kcanary explain control_write | grep -e 'seal: slot' -e 'check: compares'
kcanary functions -j '*nanosleep*' | grep '"type":"plan"' >by-bpf
kcanary functions -j --kcore '*nanosleep*' | grep '"type":"plan"' >by-kcore
cmp by-bpf by-kcore && echo "kcore agrees on $(wc -l <by-kcore) functions"

app01 120 >/dev/null &
kcanary watch --sweep 20 --max-cpu 100 -d 15 -j >out 2>err &
watcher=$!
until grep -qs '"type":"start"' out; do sleep 0.1; done
changes=0
while kill -0 $watcher 2>/dev/null; do
	rmmod stackfault
	insmod /lib/stackfault.ko
	changes=$((changes + 1))
	[ $((changes % 8)) = 0 ] && kcanary functions control_write >/dev/null
done
wait $watcher
echo "watch: status $? after $changes changes"
cat err
grep '"type":"stats"' out | tail -n 1

# unloaded NAME MS WORDS: a watch with probes in the module, until it says WORDS; 500 calls
# before, and 300 after
unloaded() {
	kcanary watch --sweep $2 -f stackfault_checked -f hrtimer_nanosleep -j >$1 &
	watcher=$!
	until grep -qs '"type":"start"' $1; do sleep 0.1; done
	echo "checked 500" >/sys/kernel/debug/stackfault
	rmmod stackfault || echo "$1: rmmod failed"
	insmod /lib/stackfault.ko
	tries=0
	until grep -qs "$3" $1 || [ $tries -gt 300 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	echo "checked 300" >/sys/kernel/debug/stackfault
	kill -INT $watcher
	wait $watcher
	echo "$1: status $?"
	sed "s/^/$1:out: /" $1
}
unloaded probed 100 'probed again: stackfault_checked'
unloaded late 600000 '"type":"start"' # no pass after it: told in the end

# Again and again, while the module's threads are asleep in a probed function when probes come
# back: the last as the first.
napping() {
	while [ -e again-runs ]; do
		echo "kthreads 4" >/sys/kernel/debug/stackfault
	done 2>/dev/null
}
touch again-runs
kcanary watch --sweep 20 --max-cpu 100 -f stackfault_checked -f stackfault_plain -f nap -j >again &
watcher=$!
until grep -qs '"type":"start"' again; do sleep 0.1; done
napping &
for i in 1 2 3 4 5 6; do
	until rmmod stackfault 2>/dev/null; do :; done
	insmod /lib/stackfault.ko
	tries=0
	until [ "$(grep -c 'probed again: ' again)" -ge $((3 * i)) ] || [ $tries -gt 300 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	echo "checked 100" >/sys/kernel/debug/stackfault
	echo "again: $(ls -l /proc/$watcher/fd | grep -c -e perf_event -e 'bpf.link') descriptors"
done
rm again-runs
kill -INT $watcher
wait $watcher
echo "again: status $?"
sed 's/^/again:out: /' again
