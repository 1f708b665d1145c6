# SPDX-License-Identifier: GPL-2.0-only
# In a Debian with systemd: the package is installed, its service watches, is reloaded, hangs and
# is started again; removed, it leaves nothing.
export LC_ALL=C
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
files() {
	find / -xdev \( -path /test -o -path /tmp -o -path /var/log/journal -o -path /var/lib/systemd -o -path /var/cache -o \
		-path /var/lib/logrotate -o -path /var/log/dpkg.log \) -prune -o -print | sort
}
state() {
	systemctl show "$@" | tr '\n' ' '
	echo
}
mkdir -p /var/lib/prometheus/node-exporter
files >/tmp/before
dpkg -i /test/kcanary.deb >/dev/null
echo "install: status $?"
echo "enabled: $(systemctl is-enabled kcanary) $(systemctl is-active kcanary)"
# Before those who sleep: it notes where they do.
insmod /test/stackfault.ko || exit 90
control=/sys/kernel/debug/stackfault
/test/app01 600 >/tmp/app &
until grep -qs ready /tmp/app; do sleep 0.1; done
sleeper=$(sed -n 's/^a01-sleep //p' /tmp/app)

echo 'KCANARY_OPTIONS="-n App01 --sweep 200 --metrics /var/lib/prometheus/node-exporter/kcanary.prom"' >/etc/kcanary/kcanary.conf
mkdir -p /run/systemd/system/kcanary.service.d
printf '[Service]\nWatchdogSec=20\nTimeoutAbortSec=2\nRestartSec=1\n' >/run/systemd/system/kcanary.service.d/test.conf
systemctl daemon-reload
systemctl start kcanary
echo "start: status $?"
# Started means armed: what is damaged now is found.
log=/var/log/kcanary/kcanary.json
grep -c '"type":"start"' $log | sed 's/^/armed: /'
echo "modes: $(stat -c '%a %n' /var/log/kcanary $log /run/kcanary | tr '\n' ' ')"
main=$(systemctl show -p MainPID --value kcanary)
echo "rights: $(grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/$main/status | tr -s '\t\n' '  ')"
echo "overflow nanosleep $sleeper 16" >$control || exit 91
until grep -qs '"type":"finding"' $log; do sleep 0.2; done
echo restore >$control
until systemctl show -p StatusText --value kcanary | grep -q '^1 findings'; do sleep 1; done
stat -c 'metrics: %a' /var/lib/prometheus/node-exporter/kcanary.prom
sed 's/^/prom: /' /var/lib/prometheus/node-exporter/kcanary.prom
state -p StatusText -p ActiveState kcanary
echo "journal: $(journalctl -p err -u kcanary -o cat --no-pager | grep -c nanosleep)"

# Log rotation: no line is lost, and the file is another.
was=$(stat -c %i $log)
logrotate -f /etc/logrotate.d/kcanary
until [ -e $log ] && [ "$(stat -c %i $log)" != "$was" ] && grep -qs '"type":"start"' $log; do sleep 0.2; done
echo "rotated: $(ls /var/log/kcanary | sort | tr '\n' ' ')"

# It hangs: systemd starts it again.
kill -STOP $main
until [ "$(systemctl show -p NRestarts --value kcanary)" = 1 ] && systemctl -q is-active kcanary; do sleep 0.5; done
echo "hung: $(systemctl show -p NRestarts --value kcanary) restart"
systemctl stop kcanary
state -p Result -p ActiveState kcanary

# Found something and stopped: that is no failure, either. One unit alone is watched.
cat >/run/systemd/system/app02.service <<'UNIT'
[Service]
ExecStart=/test/app01 600
UNIT
echo 'KCANARY_OPTIONS="--sweep 200 --hold-victim"' >/etc/kcanary/app02.conf
systemctl start app02
systemctl -q enable --now kcanary@app02
echo "template: status $?"
until tid=$(for task in /proc/$(systemctl show -p MainPID --value app02)/task/*; do
	[ "$(cat $task/comm)" != a01-sleep ] || basename $task
done) && [ -n "$tid" ]; do sleep 0.2; done
until echo "overflow nanosleep $tid 16" >$control; do sleep 0.2; done
log=/var/log/kcanary/app02.json
until grep -qs 'is held in place' $log; do sleep 0.2; done
echo "holds: $(grep -o '"text":"thread [0-9]* of process [0-9]* (finding [0-9]*) is held in place' $log | head -n 1)"
grep -o '"unit":"[^"]*"' $log | sort -u
systemctl stop kcanary@app02
state -p Result -p ActiveState kcanary@app02
kcanary held | sed 's/^/listed: /'
dpkg --remove kcanary 2>&1 | grep '^kcanary: '
dpkg -i /test/kcanary.deb >/dev/null
echo "oom while held: $(cat /proc/$tid/oom_score_adj)"
echo restore >$control
kcanary release $tid
echo "release: status $?"
echo "oom after: $(cat /proc/$tid/oom_score_adj)"
kcanary held
systemctl stop app02
rm -r /run/systemd/system/kcanary.service.d /run/systemd/system/app02.service
dpkg --purge kcanary >/dev/null
echo "purge: status $?"
rmmod stackfault
rm /var/lib/prometheus/node-exporter/kcanary.prom
files >/tmp/after
diff /tmp/before /tmp/after | sed 's/^/left: /'
ls -d /run/kcanary 2>/dev/null | sed 's/^/left: /'
mkdir /tmp/freezer && mount -t cgroup -o freezer freezer /tmp/freezer && ls -d /tmp/freezer/kcanary* 2>/dev/null |
	sed 's/^/left: /'
echo "end"
exit 0
