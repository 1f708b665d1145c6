# SPDX-License-Identifier: GPL-2.0-only
# usage: gate.sh THREAD OBJECT BYTES [OPTION...]
# Overflow OBJECT of App01's THREAD while it sleeps, long before the next pass, and wake it up at
# once: that is the end of this kernel, and only the gate is in between.
thread=$1 object=$2 bytes=$3
shift 3
insmod /lib/stackfault.ko || exit 90
app01 600 >/app &
app=$!
until grep -qs ready /app; do sleep 0.1; done
tid=$(sed -n "s/^$thread //p" /app)
# An emulated CPU may have to wait for a real one: hence --hold-off.
kcanary watch -n App01 -f stackfault_plain --gate --sweep 20000 --hold-off 3000 \
	--hold-off-max 5000 --kmsg -j -o /mnt/findings "$@" 2>/mnt/err &
# The second pass is over when counts come, and the third one is far ahead.
until grep -qs '"type":"stats"' /mnt/findings; do
	kill -0 $! || { cat /mnt/err; exit 92; }
	sleep 0.1
done
echo "{\"pid\":$app,\"tid\":$tid}" >/mnt/pid
sync
until echo "overflow $object $tid $bytes" >/sys/kernel/debug/stackfault; do sleep 0.1; done
kill -9 $app
sleep 20
cat /mnt/err
echo "guest: still alive"
exit 91
