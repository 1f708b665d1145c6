# SPDX-License-Identifier: GPL-2.0-only
"""In a guest: usage: peers.py PID: unwind the process's threads with drgn, again and
again for 10 s; print microseconds a thread."""
import sys
import time

import drgn
from drgn.helpers.linux.pid import for_each_task

program = drgn.Program()
program.set_kernel()
program.load_debug_info(["/vmlinux"])
wanted = int(sys.argv[1])
tasks = [task for task in for_each_task(program) if task.tgid == wanted]
start = time.process_time()
unwound = 0
while time.process_time() < start + 10:
    for task in tasks:
        frames = len(program.stack_trace(task))
        if frames < 3:
            sys.exit(f"a stack of {frames} frames")
        unwound += 1
print(f"{(time.process_time() - start) * 1e6 / unwound:.2f} us a thread")
