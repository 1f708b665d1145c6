# SPDX-License-Identifier: GPL-2.0-only
# usage: interrupted.sh
# Tasks that were interrupted where no unwind table leads on: in retpolines, and inside of probes
# on functions that they call without pause. Until the watch has seen some.
insmod /lib/stackfault.ko || exit 90
kcanary watch --sweep 10 --max-cpu 100 -v -j -f vfs_read -f vfs_write -f do_sys_poll -f do_futex \
	-f kfree >watch 2>watch.err &
watcher=$!
renice -n -20 -p $watcher >/dev/null
until grep -qs '"type":"start"' watch; do sleep 0.1; done
load 900 >/dev/null 2>&1 &
busy=$!
for what in futex nanosleep poll; do
	while calls $what 5; do :; done >/dev/null 2>&1 &
	busy="$busy $!"
done
until [ "$(grep -c 'followed through code' watch.err)" -ge 20 ]; do sleep 0.5; done
kill $busy # probes are removed from quiet functions sooner
kill -INT $watcher
wait $watcher
echo "watch: status $?"
cat watch
grep 'followed through\|unwinding ended' watch.err
