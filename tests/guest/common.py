# SPDX-License-Identifier: GPL-2.0-only
"""What the guest cases share: the table of kernels, and what is expected of any guest."""
import contextlib
import os
import subprocess
import tempfile


def read_kernels():
    """tests/vm/kernels: {name: (when it runs, features)}, in the table's order."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vm/kernels")
    with open(path) as table:
        rows = [line.split() for line in table if line.strip() and line[0] != "#"]
    return {row[0]: (row[4], set(row[5].split(","))) for row in rows}


TABLE = read_kernels()
KERNELS = [name for name, (run, _) in TABLE.items() if run == "check"]


def has(kernel, feature):
    return feature in TABLE[kernel][1]


def need(condition, what, guest):
    if not condition:
        raise AssertionError(f"{what}\n{guest.tail()}")


@contextlib.contextmanager
def disk(megabytes):
    """A file system in a file, for what must outlive its guest."""
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "disk")
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", image],
                       check=True)
        yield image


LATE = "longer than promised"
TABLES_END = "the unwind tables do not cover this place"
NO_TABLES = "code without unwind tables (generated, or an unreadable module)"
EARLY = "ended early: an end mark or user registers below the top of the stack"

# Text that is being patched in the moment in which it is read: it is read again at the next look.
PATCHING = "a breakpoint lies in its text that is no kprobe's"

# How a stack may end early on a healthy kernel: a task that was interrupted in code
# for which the tables say so themselves, and whose way on can't be followed.
HONEST_ENDS = (TABLES_END, NO_TABLES, EARLY, "the frame hangs on a register that was not saved")
