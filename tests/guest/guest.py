# SPDX-License-Identifier: GPL-2.0-only
"""Run one guest and hold what came out of it."""
import json
import os
import re
import subprocess
import tempfile

import contract

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = os.path.join(TOP, "tests/vm/run")
HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("KCANARY_VM_CACHE") or os.path.join(TOP, "build/vm")

# What a healthy kernel never prints. A panic that a test wants comes last.
SPLAT = re.compile(r"\] (WARNING:|BUG:|Oops|general protection|kernel BUG|-+\[ cut here)")


# Guests that were run again, each with what it said last.
HUNG = []


class Events(list):
    """JSON lines of a guest, which are shown if one that a case asks for is not among them."""

    def __init__(self, guest):
        super().__init__()
        self.guest = guest

    def __getitem__(self, index):
        if isinstance(index, int) and not -len(self) <= index < len(self):
            raise AssertionError(f"{len(self)} events of the kind\n{self.guest.tail()}")
        return super().__getitem__(index)


class Guest:
    """The end of a guest: status, lines of its output, the console's log."""

    # A guest may be as slow as a busy machine makes it; only one that hangs meets the timeout.
    # hangs: this one will, and its end is the timeout. dies: it may go down without a word.
    def __init__(self, kernel, command, *options, files=(), timeout=600, hangs=False,
                 dies=False):
        disks = {path: open(path, "rb").read()
                 for option, path in zip(options, options[1:]) if option == "--disk"}

        def run():
            for path, content in disks.items():
                with open(path, "wb") as image:
                    image.write(content)
            self.run(kernel, command, options, files, timeout)

        run()
        # A CPU that stands still may be the emulator's fault, or ours: it is told at the end.
        if hangs and self.status == 124:
            return
        if self.status == 124:
            HUNG.append(f"{kernel}: {command}\n{self.tail()}")
            run()
        if self.status in (124, 125, 127) and not (dies and self.status == 127):
            raise AssertionError(f"the guest came to no end, status {self.status}\n{self.tail()}")

    def disk_file(self, image, path):
        """A file on a disk image that outlived its guest."""
        return subprocess.run(["debugfs", "-R", f"cat {path}", image], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True).stdout

    def disk_events(self, image, path, kind=None):
        """JSON lines of such a file."""
        lines = self.disk_file(image, path).decode(errors="replace").splitlines()
        # What was being written when the kernel went down may have got its length and not its data.
        if self.status != 0 and lines and not lines[-1].endswith("}"):
            lines.pop()
        events = Events(self)
        for event in map(json.loads, lines):
            if "schema" in event: # not what a script has noted for us
                self.keeps_contract(event)
            if kind in (None, event.get("type")):
                events.append(event)
        return events

    def keeps_contract(self, event):
        breach = contract.breach(event)
        if breach:
            raise AssertionError(f"against the contract: {breach}\n{json.dumps(event)[:600]}")

    def run(self, kernel, command, options, files, timeout):
        with tempfile.NamedTemporaryFile(suffix=".log") as log:
            adds = [word for name in files for word in ("--add", os.path.join(HERE, name))]
            done = subprocess.run(
                [RUN, kernel, "--timeout", str(timeout), "--log", log.name, *adds, *options,
                 "--", command],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            self.log = open(log.name, errors="replace").read()
        self.kernel = kernel
        self.kept = None
        self.status = done.returncode
        self.output = done.stdout.decode(errors="replace")
        self.lines = self.output.splitlines()
        self.errors = done.stderr.decode(errors="replace")

    def keep_log(self):
        """Keep the console's log where the runner keeps those of its own; its path."""
        if not self.kept:
            folder = os.path.join(CACHE, self.kernel, "logs")
            os.makedirs(folder, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", prefix="serial.", dir=folder,
                                             delete=False) as file:
                file.write(self.log)
            self.kept = file.name
        return self.kept

    def tail(self):
        """What to show of a guest that did not do as it should; its whole log is kept."""
        log = self.log.splitlines()
        faults = [line for line in log if re.search(r"Oops|BUG:|RIP: 0010|WARNING:", line)]
        shown = self.lines[-25:] + self.errors.splitlines()[-5:] + faults[:6] + log[-10:]
        shown.append(f"console log: {self.keep_log()}")
        return "\n".join("    | " + line for line in shown)

    def events(self, kind=None, prefix=""):
        """JSON lines of the output; a broken one is an error of the test."""
        lines = self.lines
        # A CPU is held until the line is in the pipe to whoever writes to the console: a
        # panic may still cut it off there.
        if self.status == 126 and not self.output.endswith("\n"):
            lines = lines[:-1]
        found = Events(self)
        for line in lines:
            if line.startswith(prefix + "{"):
                event = json.loads(line[len(prefix):])
                self.keeps_contract(event)
                if kind in (None, event["type"]):
                    found.append(event)
        return found

    def value(self, pattern):
        """The first match's group in the output, or None."""
        match = re.search(pattern, self.output, re.M)
        return match.group(1) if match else None

    def panic(self):
        """(seconds since boot, function) of the stack-protector panic, or None."""
        match = re.search(r"\[ *([0-9.]+)\] Kernel panic - not syncing: stack-protector: "
                          r"Kernel stack is corrupted in: ([\w.]+)\+", self.log)
        return (float(match.group(1)), match.group(2)) if match else None

    def splats(self):
        before = self.log.split("Kernel panic - not syncing")[0]
        # Who opens the fault module's file just as the module goes is told so by debugfs (7.x).
        before = re.sub(r"[^\n]*\[ cut here[^\n]*\n[^\n]*debugfs file owner did not clean up[^\n]*\n"
                        r"[^\n]*WARNING:[^\n]*\n", "", before)
        return [line for line in before.splitlines() if SPLAT.search(line)]
