# SPDX-License-Identifier: GPL-2.0-only
# usage: prove.sh COUNT
# Prove guard plans by running: probe the checks of functions chosen at random
# while the kernel is busy: COUNT from the parts of the kernel that the load runs
# through, and 50 from all of it. None of those may be run at all: kcanary calls
# that no proof, with status 4.
echo 1 >/sys/kernel/rcu_expedited # removing a probe waits for RCU
for part in vfs_ do_ ksys_ __x64_sys_ path_ filename_ generic_ shmem_ simple_ proc_ seq_ kernfs_ \
	futex hrtimer nanosleep poll select pipe_ ep_ eventfd sock_ __sys_ unix_ tcp_ udp_ ip_ inet_ \
	wait_ signal timer_ exec bprm mm_ mmap mprotect vma handle_mm copy_ schedule wake_; do
	globs="$globs -f *$part*"
done
set -f

# said WORDS: wait until the prover says them, or has ended.
said() {
	until grep -qs "$1" err || ! kill -0 $prover 2>/dev/null; do sleep 0.2; done
}

# prove SAMPLE SECONDS OPTION...: under load, but for placing and removing probes: each
# waits for every busy task.
prove() {
	sample=$1 seconds=$2
	shift 2
	rm -f err
	kcanary prove -N "$sample" -d "$seconds" "$@" >out 2>err &
	prover=$!
	said ': probing '
	load 600 >/dev/null 2>&1 &
	said 'removing the probes'
	killall -9 load
	status=0
	wait $prover || status=$?
	cat err out
	echo "prove: status $status"
}

prove $1 15 $globs
prove 50 5
