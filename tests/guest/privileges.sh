# SPDX-License-Identifier: GPL-2.0-only
# A watch as root with some capabilities and no other: with those of the unit, without each of
# them, and with none. A thread of another user is damaged all the time.
insmod /lib/stackfault.ko || exit 90
setpriv --reuid 1000 --regid 1000 --clear-groups app01 600 >app &
until grep -qs ready app; do sleep 0.1; done
echo "canary $(sed -n 's/^a01-sleep //p' app) 0" >/sys/kernel/debug/stackfault
watch() { # NAME CAPABILITIES [OPTION...]
	name=$1
	capabilities=$2
	shift 2
	only $capabilities kcanary watch -d 1 --gate -j "$@" >out 2>err
	echo "$name: status $?"
	sed "s/^/$name:out: /" out
	sed "s/^/$name:err: /" err
}
unit="1 19 21 23 24 34 38 39"
watch unit $(echo $unit | tr ' ' ,)
for one in $unit; do
	watch without-$one $(echo $unit | tr ' ' '\n' | grep -vx $one | tr '\n' ,)
done
watch none 12
