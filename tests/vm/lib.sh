# SPDX-License-Identifier: GPL-2.0-only
# Shared by tests/vm/{fetch,kmod,run} and tests/bench/peers: where things are, how to fail.
# Sourced, never executed.

VM_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VM_CACHE=${KCANARY_VM_CACHE:-$VM_TOP/build/vm}
VM_KERNELS=$(awk '!/^#/ {printf "%s%s", sep, $1; sep = " "}' "$VM_TOP/tests/vm/kernels")

vm_say() { printf 'vm: %s\n' "$*" >&2; }

# vm_die STATUS SENTENCE...
vm_die() {
	local status=$1
	shift
	vm_say "$*"
	exit "$status"
}

vm_check_kernel() {
	case " $VM_KERNELS " in
	*" $1 "*) ;;
	*) vm_die 2 "unknown kernel '$1'; known lines: $VM_KERNELS" ;;
	esac
}

# vm_kernel NAME COLUMN: one field of its row in tests/vm/kernels.
vm_kernel() {
	awk -v name="$1" -v column="$2" '!/^#/ && $1 == name {print $column}' "$VM_TOP/tests/vm/kernels"
}

vm_need() {
	local tool missing=
	for tool in "$@"; do
		command -v "$tool" >/dev/null || missing="$missing $tool"
	done
	[ -z "$missing" ] || vm_die 125 "not installed:$missing (run 'make deps')"
}

# vm_site_of main|security: the archive that apt uses on this machine, or nothing.
vm_site_of() {
	apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' |
		awk -v want="$1" '($2 ~ /-security$/) == (want == "security") {print $1; exit}'
}

# vm_extra KERNEL: the archive besides the suite itself that it is taken from, or nothing.
vm_extra() {
	local suite archive site
	suite=$(vm_kernel "$1" 2) archive=$(vm_kernel "$1" 3)
	case $archive in
	security) site=$(vm_site_of security) && echo "${site:+deb $site $suite-security main}" ;;
	backports) echo "deb $(vm_site_of main) $suite-backports main" ;;
	esac
}

# vm_sources KERNEL: all of it, for apt.
vm_sources() {
	echo "deb $(vm_site_of main) $(vm_kernel "$1" 2) main"
	vm_extra "$1"
}

# vm_make KERNEL FOLDER [ARGUMENT...]: build a module in /FOLDER of the chroot. objtool of 7.x reads
# /proc/self; the mount lives in a namespace of its own, so that nothing is left mounted whatever
# happens.
vm_make() {
	local root=$VM_CACHE/$1/root folder=$2
	local headers=/usr/src/linux-headers-$(cat "$VM_CACHE/$1/release")
	shift 2
	unshare --mount sh -c '
		mount -t proc proc "$1/proc" && root=$1 && shift &&
		chroot "$root" make -s "$@"' \
		sh "$root" -C "$headers" "M=/$folder" modules "$@"
}
