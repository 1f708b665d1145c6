# SPDX-License-Identifier: GPL-2.0-only
# usage: peers.sh COUNT
# In a guest with the image of tests/bench/peers: the stacks of COUNT sleeping threads by
# kcanary, a C program that reads /proc/PID/stack, drgn, and crash's bt.

for folder in proc sys dev; do mount --bind /$folder /mnt/$folder; done
cp /peers.py /mnt/
sleepers $1 >ready &
until grep -qs ready ready; do sleep 0.2; done
pid=$(pidof sleepers)
echo "sweep $(kcanary watch -p $pid --no-probes --max-cpu 100 -d 8 -j |
	grep '"type":"stats"' | tail -n 1)"
echo "proc $(sleepers read $pid)"
echo "drgn $(chroot /mnt python3 /peers.py $pid)"
# Its start is not counted: the kernel's symbols take it minutes here.
cat >/mnt/commands <<-COMMANDS
	!cat /proc/uptime >/before
	foreach sleepers bt >/stacks
	!cat /proc/uptime >/after
	quit
COMMANDS
chroot /mnt crash -s -i /commands /vmlinux /proc/kcore </dev/null
echo "crash $(grep -c '^PID:' /mnt/stacks) threads from" \
	"$(cut -d' ' -f1 /mnt/before) to $(cut -d' ' -f1 /mnt/after)"
