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
