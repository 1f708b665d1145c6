# SPDX-License-Identifier: GPL-2.0-only
# usage: soak.sh SECONDS [OPTION]...
# Hundreds of threads that sleep, load of all kinds beside them, a sweep without pause.
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	app01 $(($1 + 60)) >app-$i &
done
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	until grep -qs ready app-$i; do sleep 0.1; done
done
load $(($1 + 30)) >/dev/null 2>&1 &
if command -v stress-ng >/dev/null; then
	stress-ng --quiet --timeout $(($1 + 30)) --fork 1 --vfork 1 --exec 1 --futex 1 --pipe 1 \
		--sock 1 --sigq 1 --mmap 1 --timer 1 --hdd 1 --hdd-bytes 4m --poll 1 --epoll 1 \
		--clone 1 --pthread 1 --sem-sysv 1 --switch 1 --itimer 1 --dentry 1 >/dev/null 2>&1 &
fi
seconds=$1
shift
kcanary watch --sweep 10 --max-cpu 100 -d $seconds -j -v "$@" >watch &
watcher=$!
renice -n -20 -p $watcher >/dev/null
wait $watcher
echo "watch: status $?"
cat watch
