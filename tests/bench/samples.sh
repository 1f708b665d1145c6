# SPDX-License-Identifier: GPL-2.0-only
# In a guest under load: what a minute of samples takes, and a reader of /proc/PID/stack.
sleepers 200 >ready &
until grep -q ready ready; do sleep 0.1; done
echo "proc 200 $(sleepers read $!)"
load 3600 >/dev/null 2>&1 &
for hz in 0 11 49; do
	kcanary watch --no-probes --sweep 3600000 --sample $hz -d 60 -j 2>/dev/null >out
	echo "sample $hz $(grep '"type":"stats"' out | tail -n 1)"
done
