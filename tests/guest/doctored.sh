# SPDX-License-Identifier: GPL-2.0-only
# What 'kcanary doctor' says of a healthy host, and of one from which something was taken.
mount -t debugfs none /sys/kernel/debug 2>/dev/null
before=$(leftovers)
doctor() { # NAME [COMMAND...]: run through COMMAND
	name=$1
	shift
	"$@" kcanary doctor -j >out 2>err
	echo "$name: status $?"
	sed "s/^/$name:out: /" out
	sed "s/^/$name:err: /" err
}
doctor healthy
tries=0 # programs go after a grace period
while [ "$(leftovers)" != "$before" ] && [ $tries -lt 200 ]; do
	tries=$((tries + 1))
	sleep 0.1
done
echo "left: $(leftovers), before: $before"
kcanary doctor | sed 's/^/table: /'
echo 0 >/sys/kernel/debug/kprobes/enabled
doctor disarmed
echo 1 >/sys/kernel/debug/kprobes/enabled
doctor alone taskset 1
echo 2 >/proc/sys/kernel/kptr_restrict
doctor hidden
echo 0 >/proc/sys/kernel/kptr_restrict
doctor nobody only 12
insmod /lib/stackfault.ko || exit 90
app01 300 >app &
until grep -qs ready app; do sleep 0.1; done
echo "canary $(sed -n 's/^a01-sleep //p' app) 0" >/sys/kernel/debug/stackfault
doctor damaged
echo restore >/sys/kernel/debug/stackfault
doctor healthy-again
