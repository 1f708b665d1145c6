# SPDX-License-Identifier: GPL-2.0-only
# usage: quiet.sh [words]
# The negative twin: everything as in fault.sh but the fault. And bad input: with "words" also what
# no kernel has a part in.
insmod /lib/stackfault.ko || exit 90
app01 900 >app &
until grep -qs ready app; do sleep 0.1; done

# run NAME COMMAND...: its status and output, for the host to judge
run() {
	name=$1
	shift
	"$@" >out 2>err
	status=$?
	sed "s/^/$name:out: /" out
	sed "s/^/$name:err: /" err
	echo "$name:status: $status"
}

words() {
	run no-match kcanary watch -n nosuch -d 1
	run bad-option kcanary watch --frobnicate
	run bad-number kcanary watch --sweep 1
	run bad-command kcanary frobnicate
	run full-disk kcanary watch -d 1 -j -o /dev/full
	run full-stdout sh -c 'kcanary watch -d 1 -j >/dev/full'
	run closed-stdout sh -c 'kcanary watch -d 1 >&-'
	run bad-sort kcanary audit --sort shoe-size
	# A second run adds to what the first has written: start, stats and stop of each.
	twice() {
		kcanary watch -d 1 --max-cpu 100 -j -o kept
		kcanary watch -d 1 --max-cpu 100 -j -o kept
		echo "$(grep -vc '"type":"notice"' kept) lines"
	}
	run append twice
}

run quiet-json kcanary watch -n App01 --sweep 100 --max-cpu 100 -d 4 -j
run quiet-text kcanary watch -d 2

run no-cgroups kcanary watch -c /app -d 1
mkdir -p /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup
run no-cgroup kcanary watch -c /app -d 1
mkdir -p /sys/fs/cgroup/app/below && pidof app01 >/sys/fs/cgroup/app/below/cgroup.procs
run cgroup kcanary audit -c /sys/fs/cgroup/app
run cgroup-suffix kcanary watch -c /below -d 1
# nested N: App01 so many cgroups below /app, in which another process stays.
nested() {
	folder=/sys/fs/cgroup/app
	for i in $(seq $1); do folder=$folder/d; done
	mkdir -p $folder && pidof app01 >$folder/cgroup.procs || exit 94
	run nested-$1 kcanary watch -c /app --no-probes --sweep 200 -d 2
}
sleep 500 &
echo $! >/sys/fs/cgroup/app/cgroup.procs
nested 60
nested 150
kill $!
run thread kcanary audit -t $(sed -n 's/^a01-poll //p' app) -j
run back-off kcanary watch --sweep 10 --max-cpu 1 -d 3

echo 'nobody:x:65534:65534::/:/bin/sh' >/etc/passwd 2>/dev/null ||
	{ mkdir -p /etc && echo 'nobody:x:65534:65534::/:/bin/sh' >/etc/passwd; }
chmod 777 /tmp
run not-root su -s /bin/sh nobody -c 'kcanary watch -d 1'
run pid-namespace unshare -f -p --mount-proc kcanary watch -d 1
mount -t tmpfs none /sys/kernel/btf
run no-btf kcanary watch -d 1
umount /sys/kernel/btf

interrupted() {
	kcanary watch -d 60 &
	watcher=$!
	until grep -qs 'watching' err; do sleep 0.1; done
	kill -INT $watcher
	wait $watcher
}
run interrupt interrupted
# A pipe that is full and nobody reads must not keep a watch from ending.
stopped_reader() {
	rm -f ended
	(head -c 65000 /dev/zero; kcanary watch -j -d 60; echo $? >ended) | sleep 600 &
	until pidof kcanary >/dev/null; do sleep 0.1; done
	until grep -q getsid /sys/kernel/debug/kprobes/list; do sleep 0.1; done
	sleep 2
	kill -TERM $(pidof kcanary)
	until [ -s ended ]; do sleep 0.1; done
	kill $(pidof sleep)
	return $(cat ended)
}
run stopped-reader stopped_reader
# CAP_BPF, CAP_PERFMON, CAP_SYSLOG alone; then few files, and no right to more.
run rights only 39,38,34 kcanary watch -n App01 -d 1
run few-files only 39,38,34,21,23,14,19 sh -c 'ulimit -n 51; kcanary watch -n App01 -d 1 --preset futex'
run more-files sh -c 'ulimit -S -n 45; kcanary watch -n App01 -d 1'
[ "$1" != words ] || words
echo "guest: done"
