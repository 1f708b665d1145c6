# SPDX-License-Identifier: GPL-2.0-only
# usage: fault.sh THREAD OBJECT BYTES [OPTION...]
# Overflow OBJECT of App01's THREAD while it sleeps and kcanary watches; when that is
# found, wake the thread up, which must be the end of this kernel.
thread=$1 object=$2 bytes=$3
shift 3

# poll WHAT COMMAND...: until it succeeds, for 60 s at most
poll() {
	what=$1 tries=0
	shift
	until "$@" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { echo "guest: gave up waiting for $what"; exit 90; }
		sleep 0.1
	done
}

: >out
kcanary watch -n App01 --sweep 200 "$@" >out 2>err &
poll "kcanary to start" grep -q -e '"type":"start"' -e 'watching' out err
insmod /lib/stackfault.ko || exit 90 # modules change while it watches
app01 600 >app &
app=$!
poll "App01" grep -q ready app
tid=$(sed -n "s/^$thread //p" app)
echo "guest: pid $app tid $tid"
echo "guest: canary $(sed -n "s/^$tid //p" /sys/kernel/debug/stackfault-canaries)"
overflow() { echo "overflow $object $tid $bytes" >/sys/kernel/debug/stackfault; }
poll "$thread to sleep" overflow
echo "guest: overflowed at $(cut -d' ' -f1 /proc/uptime)"
# Before the panic, whose own words must not be among ours on the console.
poll "the finding" grep -q -e '"type":"finding"' -e '^FINDING' out
cat out
sleep 2
kill -9 $app
sleep 3
cat err
echo "guest: still alive"
exit 91
