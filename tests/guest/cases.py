# SPDX-License-Identifier: GPL-2.0-only
"""The table of guest cases. Each is f(kernel) and raises AssertionError; what it returns is shown
beside its name."""
from busy import (bombed, calls, disarmed, flood, foreign, gated, grouped, interrupted, leak,
                  modules, offset, patched, prove, soak, traced, traps, walk)
from common import KERNELS, TABLE, has
from faults import (afar, alien, brink, compat, corrupted, deep, exhausted, frames, frozen,
                    futex, gate, hogged, hold, matrix, misled, nanosleep, pointed, rerouted,
                    sampled, spied, tripwire, watched)
from host import clean, doctored, endures, lockdown, packaged, quiet, recorded


def cases_of(kernels):
    """(kernel, case) of each case that the kernel has the features for."""
    everywhere = (watched, tripwire, alien, afar, gate, frozen, hogged, deep, brink, traced,
                  disarmed, recorded, frames, matrix, pointed, hold, rerouted, misled, compat, prove,
                  doctored, traps, nanosleep, futex, leak, quiet, soak, gated, walk, calls, flood,
                  grouped, clean, endures, bombed, modules, patched, foreign, sampled)
    chosen = [(kernel, case) for case in everywhere for kernel in kernels]
    for case, feature in ((interrupted, "preempt"), (offset, "kstack-offset"),
                          (lockdown, "lockdown"), (packaged, "systemd")):
        chosen += [(kernel, case) for kernel in kernels if has(kernel, feature)]
    return chosen


CASES = cases_of(KERNELS)

# For --long alone: they need the kernel's source, of which some 150 MB are fetched for each kernel.
ONLY_LONG = [(kernel, case) for case in (corrupted, exhausted) for kernel in TABLE] + \
            [(kernel, spied) for kernel in TABLE if has(kernel, "lkdtm-canary")]

# What --long asks of some of them: times, or seconds.
LONG = {prove: (250,), watched: (20,), tripwire: (20,), frozen: (20,), gate: (20,), sampled: (20,),
        hold: (60,), calls: (60,), traps: (60,), soak: (60,), walk: (240,), gated: (120,),
        corrupted: (20,), exhausted: (20,), spied: (20,)}
