# SPDX-License-Identifier: GPL-2.0-only
"""What kcanary must do in real guests. Each case is f(kernel) and raises
AssertionError; what it returns is shown beside its name."""
import contextlib
import difflib
import importlib.machinery
import itertools
import json
import os
import re
import subprocess
import tempfile

from guest import TOP, Guest

unpack = importlib.machinery.SourceFileLoader(
    "unpack", os.path.join(TOP, "tests/fuzz/unpack")).load_module()


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


def fault(kernel, thread, objekt, size, function):
    guest = Guest(kernel, f"sh /fault.sh {thread} {objekt} {size} -j", files=["fault.sh"])
    need(guest.status == 126, f"the guest should have panicked, status {guest.status}", guest)
    panic = guest.panic()
    need(panic, "no stack-protector panic in the log", guest)
    need(not guest.splats(), f"splats before the panic: {guest.splats()[:3]}", guest)
    findings = guest.events("finding")
    need(len(findings) == 1, f"{len(findings)} findings instead of 1", guest)
    finding = findings[0]
    process, code = finding["process"], finding["code"]
    need(code["function"] == function, f"blamed {code['function']}", guest)
    need(panic[1] == function, f"the kernel blamed {panic[1]}", guest)
    need(process["pid"] == int(guest.value(r"^guest: pid (\d+)")), "wrong pid", guest)
    need(process["tid"] == int(guest.value(r"^guest: pid \d+ tid (\d+)")), "wrong tid", guest)
    need(process["comm"] == thread, f"wrong comm {process['comm']}", guest)
    need(process["process_comm"] == "App01", "wrong process", guest)
    need(finding["frame"]["slot"]["found"] == "ascii", "the pattern was AAAA", guest)
    # All were written; a byte of a random canary may have been an A before.
    canary = bytes.fromhex(guest.value(r"^guest: canary ([0-9a-f]{16})$"))[::-1]
    changed = finding["frame"]["slot"]["changed_bytes"]
    need(changed == [i for i in range(8) if canary[i] != ord("A")], f"changed {changed}", guest)
    logged = guest.log.find('"type":"finding"')
    need(0 <= logged < guest.log.find("Kernel panic - not syncing"),
         "the finding is not before the panic in the serial log", guest)
    need(finding["boot_ns"] / 1e9 < panic[0], "found after the panic", guest)
    took = finding["boot_ns"] / 1e9 - float(guest.value(r"^guest: overflowed at ([\d.]+)$"))
    return f"found {took:.2f} s after the overflow"


def nanosleep(kernel):
    return fault(kernel, "a01-sleep", "nanosleep", 8, "hrtimer_nanosleep")


def futex(kernel):
    # Whose frame holds the futex_q.
    function = "__futex_wait" if has(kernel, "futex-split") else "futex_wait"
    return fault(kernel, "a01-futex-t", "futex", 16, function)


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


def overflow(kernel, function, *how, options=()):
    """A running function overflows its own frame; what the disk has when the kernel is gone."""
    with disk(16) as image:
        guest = Guest(kernel, f"sh /probe.sh '{function} 16' {' '.join(how)}", "--disk", image,
                      *options, files=["probe.sh"])
        need(guest.status == 126, f"the guest should have panicked, status {guest.status}", guest)
        panic = guest.panic()
        need(panic and panic[1] == "stackfault_" + function, f"panic: {panic}", guest)
        need(not guest.splats(), f"splats before the panic: {guest.splats()[:3]}", guest)
        return (guest, guest.disk_events(image, "/pid")[0]["pid"],
                guest.disk_events(image, "/findings", "evidence"),
                guest.disk_events(image, "/findings", "finding"))


def testified(guest, evidence, function, engine, pid):
    """The first record, made of the event alone, and the line in the kernel's log."""
    # What a check has told of, panic() tells of again.
    engines = [record["engine"] for record in evidence]
    need(engines == ["probe", "tripwire"][engine == "tripwire":], f"evidence of {engines}", guest)
    first = evidence[0]
    need(first["engine"] == engine and first["process"]["pid"] == pid, str(first), guest)
    need(first["code"]["place"].startswith(f"stackfault_{function}+0x"), str(first["code"]), guest)
    need(first["syscall"]["nr"] == 1, str(first["syscall"]), guest) # write
    need(any(place.startswith("vfs_write+0x") for place in first["addresses"]),
         str(first["addresses"]), guest)
    need(engine == "tripwire" or first["frame"]["slot"]["found"] == "ascii", str(first), guest)
    logged = guest.log.find(f"kcanary: evidence {first['finding']}: ")
    need(0 <= logged < guest.log.find("Kernel panic - not syncing"),
         "not before the panic in the kernel's log", guest)
    return first


def smashed(kernel, function, engine):
    """Nothing is in the way: evidence and finding outlive the kernel."""
    guest, pid, evidence, findings = overflow(kernel, function)
    first = testified(guest, evidence, function, engine, pid)
    need(len(findings) == 1, f"{len(findings)} findings on the disk", guest)
    finding = findings[0]
    need(finding["finding"] == first["finding"], "another number", guest)
    need(finding["engine"] == engine, f"engine {finding['engine']}", guest)
    need(finding["code"]["function"] == "stackfault_" + function, str(finding["code"]), guest)
    need(finding["code"]["module"] == "stackfault", str(finding["code"]), guest)
    need(finding["verdict"]["class"] == "linear-overflow", str(finding["verdict"]), guest)
    need(finding["process"]["pid"] == pid, f"pid {finding['process']['pid']}", guest)
    need(finding["syscall"]["name"] == "write", str(finding["syscall"]), guest)
    need(finding["frame"]["slot"]["found"] == "ascii", str(finding["frame"]), guest)


def watched(kernel, times=2):
    """With the function watched: found at its check."""
    for _ in range(times):
        smashed(kernel, "smash", "probe")
    return f"{times} of {times}"


def tripwire(kernel, times=2):
    """On a function that nobody watches: found at the entry of panic()."""
    for _ in range(times):
        smashed(kernel, "twin", "tripwire")
    return f"{times} of {times}"


def alien(kernel):
    """Control flow comes to a function's check on another function's frame."""
    guest, _, _, findings = overflow(kernel, "framed")
    need(len(findings) == 1, f"{len(findings)} findings on the disk", guest)
    verdict = findings[0]["verdict"]
    need(findings[0]["code"]["function"] == "stackfault_framed", str(findings[0]["code"]), guest)
    need(verdict["class"] == "alien-frame" and verdict["confidence"] == "high", str(verdict), guest)
    words = [word["what"] for word in findings[0]["frame"].get("points_to", ())]
    need(any(what.startswith("[") for what in words), f"points to {words}", guest)
    return f"{verdict['why'][0]}; {', '.join(words)}"


def afar(kernel):
    """What the tripwire alone has seen: compared in the kernel, below the slot and above."""
    told = []
    for size, changed, words in ((4, range(4), "a write from below ended there"),
                                 (24, range(8), "right above it hold the same pattern")):
        with disk(16) as image:
            guest = Guest(kernel, f"sh /afar.sh {size}", "--disk", image, files=["afar.sh"])
            need(guest.status == 126, f"status {guest.status}", guest)
            findings = guest.disk_events(image, "/findings", "finding")
        need([f["engine"] for f in findings] == ["tripwire"], str(findings), guest)
        verdict, slot = findings[0]["verdict"], findings[0]["frame"]["slot"]
        need(findings[0]["code"]["function"] == "hrtimer_nanosleep", str(findings), guest)
        need(verdict["class"] == "linear-overflow", str(verdict), guest)
        need(any(words in why for why in verdict["why"]), str(verdict), guest)
        # A byte of a random canary may have been an A before, its lowest is zero.
        need(set(slot.get("changed_bytes", ())) <= set(changed), str(slot), guest)
        need(slot["changed_bits"] in ("3-8", "more"), str(slot), guest)
        told.append(f"{size} bytes: {verdict['confidence']}")
    return ", ".join(told)


def gate(kernel, times=2):
    """Damaged long after a pass, and waked up at once: told at the switch, before the panic."""
    on_disk = 0
    for _ in range(times):
        with disk(16) as image:
            guest = Guest(kernel, "sh /gate.sh a01-sleep nanosleep 8", "--disk", image,
                          files=["gate.sh"])
            need(guest.status == 126, f"the guest should have panicked, status {guest.status}",
                 guest)
            need(guest.panic() and guest.panic()[1] == "hrtimer_nanosleep", str(guest.panic()),
                 guest)
            need(not guest.splats(), f"splats before the panic: {guest.splats()[:3]}", guest)
            victim = guest.disk_events(image, "/pid")[0]
            evidence = guest.disk_events(image, "/findings", "evidence")
            findings = guest.disk_events(image, "/findings", "finding")
        # Where it goes on, told by the gate; and where its check failed, by the tripwire.
        alive = guest.log[:guest.log.find("Kernel panic - not syncing")]
        places = re.findall(r"kcanary: evidence (\d+): (?:a slot differs, not proved yet,|damaged "
                            r"stack frame) in hrtimer_nanosleep\+(0x[0-9a-f]+), thread (\d+) of "
                            r"process (\d+)", alive)
        need(len({place for _, place, _, _ in places}) == 2 and
             {(int(tid), int(pid)) for _, _, tid, pid in places} ==
             {(victim["tid"], victim["pid"])},
             f"in the log: {places}, on the disk: {evidence} {findings}", guest)
        # Two threads write to one file, milliseconds apart, with one CPU at a standstill.
        by_engine = {one["engine"]: one for one in evidence}
        need(len(by_engine) == len(evidence) and set(by_engine) <= {"gate", "tripwire"},
             str(evidence), guest)
        first = by_engine.get("gate")
        on_disk += bool(first)
        if first:
            need(first["code"]["place"].startswith("hrtimer_nanosleep+0x"), str(first), guest)
            need(first["frame"]["slot"]["found"] == "ascii", str(first), guest)
            need(first["boot_ns"] / 1e9 < guest.panic()[0], "after the panic", guest)
        # The main thread may have been on that CPU, or be waiting for it.
        need(len(findings) <= 1, str(findings), guest)
        for finding in findings:
            need(finding["engine"] == "gate" and "switched_from" in finding, str(finding), guest)
            need(finding["code"]["function"] == "hrtimer_nanosleep", str(finding["code"]), guest)
        for said in evidence + findings:
            need({key: said["process"][key] for key in ("pid", "tid")} == victim, str(said), guest)
    return f"{times} of {times}, {on_disk} of them on the disk"


def frozen(kernel, times=2):
    """The main thread does not run any more: the evidence outlives the kernel."""
    for i in range(times):
        function, engine = (("smash", "probe"), ("twin", "tripwire"))[i % 2]
        guest, pid, evidence, _ = overflow(kernel, function, "frozen")
        testified(guest, evidence, function, engine, pid)
    return f"{times} of {times}"


def hogged(kernel):
    """Real-time threads have the first two of four CPUs: the others write the evidence."""
    guest, pid, evidence, _ = overflow(kernel, "twin", "hogged", options=("--smp", "4"))
    testified(guest, evidence, "twin", "tripwire", pid)
    return ""


def deep(kernel):
    """Entries with little stack left: probes do not make the end of it, tell of each thread, and
    leave a record of a recursion that is the end."""
    with disk(16) as image:
        guest = Guest(kernel, "sh /deep.sh 1050", "--disk", image, files=["deep.sh"])
        need(guest.value(r"^guest: survived (\d+)$") == "1050", "did not survive", guest)
        need(guest.status == 126, f"the guest should have panicked, status {guest.status}", guest)
        found = guest.disk_events(image, "/findings", "finding")
        evidence = guest.disk_events(image, "/findings", "evidence")
        shell = guest.disk_events(image, "/pid")[0]["pid"]
    for finding in found + evidence:
        need(finding["anomaly"] == "headroom", str(finding), guest)
    left = {e["process"]["pid"]: e["frame"]["headroom"] for e in found + evidence}
    need(shell in left and len(left) == 2, f"of {left}, the shell is {shell}", guest)
    # Of the second thread, for which the CPU was held: there is no later.
    need(any(e["process"]["pid"] != shell and 1536 <= e["frame"]["headroom"] < 2048
             for e in evidence), str(left), guest)
    need(any(e["frame"]["headroom"] < 1536 for e in found), str(left), guest)
    return f"with {sorted(e['frame']['headroom'] for e in found)} bytes left"


def brink(kernel):
    """A gate does not look where the stack that it runs on is all but used up; it counts that."""
    guest = Guest(kernel, "sh /brink.sh", files=["brink.sh"])
    need(guest.status == 0 and not guest.splats(), f"{guest.status} {guest.splats()[:3]}", guest)
    need(guest.value(r"^watch: status (\d+)$") in ("0", "4"), "watch", guest)
    need(not guest.events("finding"), "a false alarm", guest)
    coverage = guest.events("stats")[-1]["coverage"]
    # Whether a sleeper's CPU goes to another task is up to the scheduler.
    need(coverage.get("gate_deep", 0) > 0 and coverage["gate_verified"] > 0, str(coverage), guest)
    return f"{coverage['gate_deep']} times not, {coverage['gate_verified']} switches verified"


def parting(live, again, shown=8):
    """Where a replay says something else than the watch: of the first such line, the rows and
    fields of both that the other does not have."""
    def pieces(line):
        return re.split(r'(?<=[,\[{])(?=["{])', line.decode(errors="replace"))

    lines = list(itertools.zip_longest(live.splitlines(), again.splitlines(), fillvalue=b""))
    differ = [i for i, (one, other) in enumerate(lines) if one != other]
    if not differ:
        return "the same lines"
    rows = [row for row in difflib.ndiff(*map(pieces, lines[differ[0]])) if row[0] in "-+"]
    return "\n".join([f"{len(differ)} of {len(lines)} lines differ; in line {differ[0] + 1}:"] +
                     [row[:200] for row in rows[:2 * shown]])


def recorded(kernel):
    """A watch that is recorded: replayed in the guest and here, the same byte for byte; nothing
    is overwritten, no symlink followed, and a disk that is full ends the recording alone."""
    with disk(64) as image, tempfile.TemporaryDirectory() as folder:
        guest = Guest(kernel, "sh /recorded.sh", "--disk", image, files=["recorded.sh"])
        need(guest.status == 0, f"status {guest.status}", guest)
        need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
        tape, told = os.path.join(folder, "tape"), guest.disk_file(image, "/live")
        with open(tape, "wb") as file:
            file.write(guest.disk_file(image, "/tape"))
        for live, again in (("/live", "/replayed"), ("/probed-live", "/probed-replayed"),
                            ("/sampled-live", "/sampled-replayed")):
            live, again = guest.disk_file(image, live), guest.disk_file(image, again)
            need(live == again, f"not the same in the guest: {parting(live, again)}", guest)
        again = subprocess.run([os.path.join(TOP, "build/kcanary"), "replay", tape, "-j"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        raw = unpack.entries(tape)
    need(again.stdout == told and again.returncode == 1 and not again.stderr,
         f"not the same: status {again.returncode}, {again.stderr.decode(errors='replace')[:300]}"
         f"{parting(told, again.stdout)}", guest)
    # No address of where this kernel lay. (KASLR may put it where it is linked to; operands of
    # code are tests/unit/move.c's.)
    start = int(guest.value(r"^stext: ([0-9a-f]+)$"), 16)
    # Where modules lie on every tape is no secret, and may be near this kernel by chance.
    near = [hex(word) for word in unpack.words(raw) if start <= word < start + (64 << 20)
            and word & ~0xffff not in (0xffffffffa0000000, 0xffffffffc0000000)]
    need(not near or start - 0xffffffff81000000 < 64 << 20, f"addresses: {near[:5]}", guest)
    for line in ("record: status 1", "replay: status 1", "replay: the same", "tape: -rw-------",
                 "probed: status 1", "probed: the same", "sampled: status 1", "sampled: the same",
                 "again: status 5", "link: status 5",
                 # A machine that was elsewhere for seconds is told of, too.
                 f"small disk: status {4 if LATE in guest.output else 0}",
                 "small: kcanary: warning: the recording ends here: No space left on device",
                 "max: 1"):
        need(line in guest.output, f"does not say: {line}", guest)
    found = told.count(b'"type":"finding"')
    need(found >= 10 and int(guest.value(r"^text findings: (\d+)$")) == found, f"{found}", guest)
    need(guest.value(r"^at a glance: (\d+)$") == str(found), "not all on stderr", guest)
    return f"{found} findings, {guest.value(r'^tape: -rw------- (.*)$')}"


def calls(kernel, seconds=3):
    """Many calls through probed functions, a known depth, and bad choices."""
    guest = Guest(kernel, f"sh /calls.sh {seconds}", files=["calls.sh"],
                  timeout=3 * seconds + 600)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    need(not guest.events("finding"), "a false alarm", guest)
    stats = guest.events("stats")[-1]
    blind = {why for why, n in stats["coverage"]["reasons"].items() if n}
    need(not blind - set(HONEST_ENDS), f"not verifiable: {blind}", guest)
    probes = stats["probes"]
    # A hit while another program runs on the CPU is missed; v6.7 and later tell.
    need((probes["missed"] is None) == (not has(kernel, "misses")), str(probes), guest)
    probes["missed"] = probes["missed"] or 0
    unseen = blind or probes["missed"] or "gaps" in stats["coverage"]
    need(guest.value(r"^calls: status (\d+)$") == ("4" if unseen else "0"),
         f"status; {stats}", guest)
    made = sum(int(n) for n in re.findall(r"^\w+ (\d+) calls a second$", guest.output, re.M))
    need(probes["comparisons"] > made * seconds / 2, f"{made} a second, {probes}", guest)
    for key in ("failed", "unreadable", "lost", "unproven"):
        need(probes[key] == 0, f"{key}: {probes}", guest)
    # A return without its entry is one whose entry was missed.
    need(probes["unmatched_returns"] <= probes["missed"], str(probes), guest)
    # One link holds the entries, where the kernel has such links, and no kprobe does.
    entries = len(guest.events("start")[0]["watch"]["probes"])
    kprobes = int(guest.value(r"^kprobes (\d+)$")) - 1 # but for the one that tells of life
    need(probes["attached"] - kprobes == (entries - 1 if has(kernel, "kprobe-multi") else 0),
         f"{kprobes} kprobes, {probes}", guest)
    # The module's entry has a kprobe, msleep()'s the common link where there is one.
    deepest, inner = (int(guest.value(rf"^deepest entry {depths}$"))
                      for depths in (r"(\d+), msleep's \d+", r"\d+, msleep's (\d+)"))
    need(9000 <= deepest < inner <= probes["max_depth"], f"{deepest}, {inner}: {probes}", guest)
    stop = guest.events("stop")[0]
    functions = {f["function"]: f for f in stop["function_depths"]}
    for name, depth in (("stackfault_recurse [stackfault]", deepest), ("msleep", inner)):
        need(functions[name]["max"] == depth and functions[name]["log2"][13] > 0 and
             functions[name]["log2"][14] == 0, str(functions[name]), guest)
    need(stop["thread_depths"][0]["max"] == probes["max_depth"] ==
         functions[probes["deepest"]]["max"], str(stop["thread_depths"]), guest)
    # Too little left: told once for each task and function.
    need(guest.value(r"^deep: status (\d+)$") == "1", "deep", guest)
    deep = guest.events("finding", "deep:out: ")
    need(len(deep) == 1 and deep[0]["verdict"]["class"] == "exhausted" and
         deep[0]["code"]["function"] == "stackfault_recurse" and
         deep[0]["frame"]["headroom"] - deep[0]["frame"].get("own_bytes", 0) < 8000,
         f"{len(deep)} findings", guest)
    for name, status, words in (
            ("too many", "2", "more than --max-probes 64"),
            ("unknown", "2", "no function that can be probed is named 'nosuchfunction'"),
            ("refused", "4", "the kernel allows no probes there"),
            ("refused", "4", "bpf_ringbuf_output: kcanary's own probes run through it"),
            ("refused", "4", "panic: kcanary has a probe of its own there"),
            ("dry-run", "0", "probes, an entry's for each function among them"),
            ("preset", "2", "there is no preset 'nosuch'")):
        need(guest.value(rf"^{name}: status (\d+)$") == status and words in guest.output,
             f"{name}: {words}", guest)
    # Every preset is within the default limit.
    need(20 < int(re.findall(r"^(\d+) probes, an entry", guest.output, re.M)[-1]) <= 64,
         "the largest preset is too large", guest)
    # What the kernel refuses is told by name, and the rest of the entries placed.
    some = guest.events("start", "some:out: ")[0]["watch"]["probes"]
    placed = guest.events("stats", "some:out: ")[-1]["probes"]["attached"]
    need([f["function"] for f in some] == ["hrtimer_nanosleep"] and
         placed == 1 + some[0]["checks"] + 1 and # entry, checks, tripwire
         guest.value(r"^some: status (\d+)$") == "4" and
         "not probed: the entry of trace_event_raw_event_sched_switch: the kernel allows no "
         "probe there" in guest.output, f"{some}", guest)
    # Of a thread that was not seen to return from there one may be of an older call.
    early = guest.events("stats", "early:out: ")[-1]["probes"]
    need((early["early_returns"], early["unmatched_returns"]) == (1, 5), str(early), guest)
    return (f"{probes['comparisons']} checks compared, {probes['returns']} returns, "
            f"{probes['entries']} entries, 0 findings, depth {deepest}")


def alerted(guest, metrics, folder):
    """What Alertmanager gets of such a file, by way of node exporter and Prometheus: the classes."""
    prom = os.path.join(folder, "kcanary.prom")
    with open(prom, "w") as file:
        file.write(metrics)
    done = subprocess.run([os.path.join(TOP, "tests/fleet"), prom, "app-host-7"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    need(done.returncode == 0, f"no alert: {done.stdout}{done.stderr}", guest)
    labels = [alert["labels"] for alert in json.loads(done.stdout)]
    need({label["alertname"] for label in labels} == {"KernelStackDamaged"} and
         {label["instance"] for label in labels} == {"app-host-7"}, str(labels), guest)
    return {label["class"] for label in labels}


def packaged(kernel):
    """The .deb in a Debian with systemd: installed, started, reloaded, hung, stopped, removed."""
    image, deb = (subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, check=True,
                                 text=True).stdout.splitlines()[-1]
                  for command in (["tests/vm/debian"], ["flock", "build/package.lock", "make", "-s", "deb-path"]))
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "disk")
        subprocess.run(["cp", "--sparse=always", image, copy], check=True)
        guest = Guest(kernel, "true", "--disk", copy, "--append", "rdinit=/switch",
                      "--add", os.path.join(TOP, deb) + ":/kcanary.deb",
                      files=["switch", "packaged.sh"])
        need(guest.status == 0 and "end" in guest.lines, f"status {guest.status}", guest)
        metrics = "".join(f"{line}\n" for line in re.findall("^prom: (.*)", guest.output, re.M))
        found = set(re.findall(r'^kcanary_findings_total{class="([^"]+)"} [1-9]', metrics, re.M))
        need(found and alerted(guest, metrics, folder) == found, f"alerts; {found}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    for line in ("install: status 0", "enabled: disabled inactive", "start: status 0", "armed: 1",
                 "modes: 700 /var/log/kcanary 600 /var/log/kcanary/kcanary.json 700 /run/kcanary ",
                 "journal: 1", "rotated: kcanary.json kcanary.json.1 ", "hung: 1 restart",
                 "template: status 0", '"unit":"app02.service"',
                 "kcanary: threads are held, and stay so; without this program none of them can be "
                 "released",
                 "release: status 0", "purge: status 0", "metrics: 644", "oom while held: -1000",
                 "oom after: 0", "nothing is held"):
        need(line in guest.lines, line, guest)
    need(guest.lines.count("Result=success ActiveState=inactive ") == 2, "how it ended", guest)
    need(re.search(r"^StatusText=1 findings, [1-9]\d* frames verified in .* ActiveState=active $",
                   guest.output, re.M), "status", guest)
    need(re.search(r'^holds: .*is held in place$', guest.output, re.M), "hold", guest)
    need(len(re.findall(r"^listed: +\d+ .*damaged in hrtimer_nanosleep", guest.output, re.M)) == 1,
         "held", guest)
    need(re.search(r"^rights: CapEff: \S+ NoNewPrivs: 1 Seccomp: 2 $", guest.output, re.M),
         "rights", guest)
    need(not re.search("^left: ", guest.output, re.M), "left behind", guest)
    return ("installed, started, found, rotated, hung, held, removed, nothing left; "
            f"alert of class {', '.join(found)}")


def flood(kernel):
    """A hundred thousand mismatches at once, of slots, and some of guards and return
    addresses: reported once, counted, nothing stops."""
    guest = Guest(kernel, "sh /flood.sh", files=["flood.sh"])
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    told = {}
    for name, calls, verdict, function in (
            ("flood", 100000, "stray-write", "stackfault_checked"),
            ("guard", 20000, "guard-changed", "stackfault_checked"),
            ("return", 20000, "return-address", "stackfault_plain")):
        need(guest.value(rf"^{name}: status (\d+)$") == "1", f"{name}: status", guest)
        findings = guest.events("finding", f"{name}:out: ")
        # Once for each place on the stack: system calls may begin at random offsets.
        need(1 <= len(findings) <= 5 and {(f["code"]["function"], f["verdict"]["class"])
                                          for f in findings} == {(function, verdict)},
             f"{name}: {len(findings)} findings", guest)
        probes = guest.events("stats", f"{name}:out: ")[-1]["probes"]
        probes["missed"] = probes["missed"] or 0
        # An entry and a check or return for each call; what was missed is counted.
        hits = sum(probes[key] for key in ("comparisons", "returns", "entries", "missed"))
        need(hits == 2 * (calls + 100), f"{name}: {probes}", guest)
        told[name] = {key: probes[key] for key in ("findings", "repeated", "lost", "overflowed",
                                                   "unproven")}
        told[name]["budget"] = probes["losses"].get("budget", 0)
        need(abs(calls - sum(told[name].values())) <= probes["missed"] and
             probes["unproven"] == 0, f"{name}: {probes}", guest)
    # Of threads that nobody watches: neither told nor held, and no event that might be another's.
    probes = guest.events("stats", "stranger:out: ")[-1]["probes"]
    need(not guest.events("finding", "stranger:out: ") and not probes["losses"] and
         probes["comparisons"] + (probes["missed"] or 0) == 20100 and
         not probes["unproven"] + probes["repeated"] + probes["lost"], str(probes), guest)
    start, end = re.search(r"^flood: from ([0-9.]+) to ([0-9.]+)$", guest.output, re.M).groups()
    return (f"100000 in {float(end) - float(start):.1f} s: {told['flood']['repeated']} counted, "
            f"{told['flood']['budget']} beyond the budget, {told['flood']['lost']} lost")


def grouped(kernel):
    """Of a watched cgroup's threads a mismatch is told, with its CPU held; of others it is not."""
    guest = Guest(kernel, "sh /grouped.sh", files=["grouped.sh"])
    need(guest.status == 0 and not guest.splats(), f"{guest.status} {guest.splats()[:3]}", guest)
    callers = [int(pid) for pid in re.findall(r"^caller: (\d+)$", guest.output, re.M)]
    for name, status in (("stranger", "4"), ("member", "1")):
        need(guest.value(rf"^{name}: status (\d+)$") == status, name, guest)
        probes = guest.events("stats", f"{name}:out: ")[-1]["probes"]
        need(probes["comparisons"] + (probes["missed"] or 0) == 20, str(probes), guest)
    need(not guest.events("finding", "stranger:out: ") and
         not guest.events("evidence", "stranger:out: "), "a stranger was told of", guest)
    found = {e["process"]["pid"] for e in guest.events("finding", "member:out: ")}
    need(found == {callers[1]}, f"{found} instead of {callers[1]}", guest)
    need(guest.events("evidence", "member:out: "), "no CPU was held", guest)
    return f"{probes['losses'].get('holds', 0)} times one was held already"


def disarmed(kernel):
    """All probes switched off by somebody: told when they are found dead and when they are
    back, no status 0; and nothing of that where nobody did."""
    guest = Guest(kernel, "sh /disarmed.sh", files=["disarmed.sh"])
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    names = re.findall(r"^(\w+): status \d+$", guest.output, re.M)
    need(names[:3] == ["alive", "before", "during"], str(names), guest)
    for name in names:
        off = name != "alive"
        told = 0 if not off else 1 if name == "before" else 2
        texts = [n["text"].split(":")[0] for n in guest.events("notice", f"{name}:out: ")
                 if "the kernel runs" in n["text"]]
        dead = "the kernel runs no probes" + (" at entries" if name == "ftrace" else "")
        need(texts == [dead, "the kernel runs probes again"][:told],
             f"{name}: {texts}", guest)
        probes = guest.events("stats", f"{name}:out: ")[-1]["probes"]
        need(probes["dead"] == off, f"{name}: {probes}", guest)
        need(not off or guest.value(rf"^{name}: status (\d+)$") == "4", name, guest)
    return ", ".join(names)


def traced(kernel):
    """Another tool's return probe: told of once, counted from then on, and no status 0."""
    guest = Guest(kernel, "sh /traced.sh", files=["traced.sh"])
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    for name in ("before", "after"):
        need(not guest.events("finding", f"{name}:out: "), "a false alarm", guest)
        need(guest.value(rf"^{name}: status (\d+)$") == "4", f"{name}: status", guest)
        probes = guest.events("stats", f"{name}:out: ")[-1]["probes"]
        missed = probes["missed"] or 0
        # Where the trampoline is in place at the entry already, it is what must be there at the
        # return; else each return but the first is counted, those of threads before included.
        odd = probes["replaced_returns"] + probes["unmatched_returns"]
        need(probes["returns"] + missed >= 30000 and probes["unproven"] <= 2, str(probes), guest)
        need(probes["losses"].get("budget", 0) == 0 and probes["lost"] == 0, str(probes), guest)
    # The tracer's trampoline is told as what it is, and as long as it is there.
    reasons = [{why for why, n in guest.events("stats", f"{name}:out: ")[-1]["coverage"]
                ["reasons"].items() if n} for name in ("graph", "nograph")]
    need(len(reasons[0]) == 1 and "function graph tracer" in min(reasons[0]) and not reasons[1],
         f"reasons: {reasons}", guest)
    need([guest.value(rf"^{name}: status (\d+)$") for name in ("graph", "nograph")] ==
         ["4", "0"], "status", guest)
    return f"{odd} returns through a trampoline counted"


def clean(kernel):
    """However a watch ends, no program, map, link, probe or event stays."""
    guest = Guest(kernel, "sh /clean.sh", files=["clean.sh"])
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    ends = re.findall(r"^(\w+): status (\d+), before: (.*), during: (.*), after: (.*)$",
                      guest.output, re.M)
    need("no tripwire" not in guest.output, "the tripwire was not the last", guest)
    late = re.findall(r"^(\w+): late$", guest.output, re.M) # see said()
    need([(e[0], e[1]) for e in ends] ==
         [("INT", "04"["INT" in late]), ("TERM", "04"["TERM" in late]), ("KILL", "137"),
          ("SEGV", "139")], f"{ends}", guest)
    for signal, _, before, during, after in ends:
        need(before == after and during != before, f"{signal}: {before}; {after}", guest)
    return ends[0][3]


def doctored(kernel):
    """doctor: a healthy host can be watched; what was taken from one is named, by what is lost."""
    guest = Guest(kernel, "sh /doctored.sh", files=["doctored.sh"])
    need(guest.status == 0 and not guest.splats(), f"{guest.status} {guest.splats()[:3]}", guest)
    said_no = {}
    for name, status in (("healthy", 0), ("disarmed", 4), ("alone", 4), ("hidden", 3),
                         ("nobody", 3), ("damaged", 4), ("healthy-again", 0)):
        need(guest.value(rf"^{name}: status (\d+)$") == str(status), name, guest)
        end = guest.events("checkup", f"{name}:out: ")
        need(len(end) == 1 and end[0]["status"] == status, f"{name}: {end}", guest)
        exams = guest.events("exam", f"{name}:out: ")
        said_no[name] = {exam["what"]: exam["without"] for exam in exams
                         if exam["answer"] == "no" and exam["weight"] != "aside"}
        need(len(exams) >= 15, f"{name}: {len(exams)} exams", guest)
        if status == 4:
            need(all(lost in end[0]["sentence"] for lost in said_no[name].values()), str(end),
                 guest)
    need([set(no) for no in said_no.values()] ==
         [set(), {"the kernel runs them"}, {"a CPU to write while one is held"},
          {"the kernel can be read"}, {"the kernel can be read"}, {"none of them is damaged now"},
          set()], str(said_no), guest)
    left, before = re.search(r"^left: (.*), before: (.*)$", guest.output, re.M).groups()
    need(left == before, f"left behind: {left}; {before}", guest)
    need(re.search(r"^table: This host can be watched\.$", guest.output, re.M), "the table", guest)
    return "healthy; disarmed, one CPU, kptr_restrict, no rights: told"


LATE = "longer than promised"


def said(guest, name, status, *words):
    """Case `name` of quiet.sh ended with this status and said these words."""
    text = "\n".join(re.findall(rf"^{name}:(?:out|err): (.*)$", guest.output, re.M))
    # A machine that was elsewhere for seconds is told of, too.
    if status == 0 and LATE in text:
        status = 4
    need(guest.value(rf"^{name}:status: (\d+)$") == str(status),
         f"{name}: status {guest.value(rf'^{name}:status: (.*)$')} instead of {status}", guest)
    for word in words:
        need(word in text, f"{name}: does not say '{word}': {text[:400]}", guest)


def refused(guest):
    """Bad input that no kernel has a part in."""
    said(guest, "bad-sort", 2, "KEY must be tid, depth or high-water")
    said(guest, "no-match", 4, "no thread or process is named 'nosuch' yet")
    said(guest, "bad-option", 2, "unrecognized option")
    said(guest, "bad-number", 2, "MS must be a number from 10")
    said(guest, "bad-command", 2, "unknown command 'frobnicate'")
    said(guest, "full-disk", 5, "No space left on device")
    said(guest, "full-stdout", 5, "No space left on device")
    said(guest, "closed-stdout", 5, "cannot write to stdout")
    said(guest, "append", 0, "6 lines")


def quiet(kernel):
    """The negative twin, and clear words for bad input."""
    words = "words" if kernel in (KERNELS[0], KERNELS[-1]) else ""
    guest = Guest(kernel, f"sh /quiet.sh {words}", files=["quiet.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)

    said(guest, "quiet-json", 0)
    events = guest.events(prefix="quiet-json:out: ")
    need([e["type"] for e in events if e["type"] != "stats" and LATE not in e.get("text", "")] ==
         ["start", "stop"],
         f"events: {[e['type'] for e in events]}", guest)
    coverage = [e for e in events if e["type"] == "stats"][-1]["coverage"]
    need(coverage["tasks"] == 10, f"App01 has 10 threads, not {coverage['tasks']}", guest)
    need(coverage["not_verifiable"] == 0, f"not verifiable: {coverage['reasons']}", guest)
    # Each of the ten sleeps with __schedule's frame and at least one more.
    need(coverage["frames_verified"] >= coverage["tasks_checked"] > 100,
         f"verified {coverage['frames_verified']} in {coverage['tasks_checked']}", guest)

    said(guest, "quiet-text", 0, "0 findings", "frames verified: ", "not verifiable: 0")
    said(guest, "no-cgroups", 3, "no unified cgroup hierarchy")
    said(guest, "no-cgroup", 4, "no task is in cgroup /app yet")
    said(guest, "cgroup", 0, "10 tasks asleep", "a01-futex-t", "not verifiable: 0, findings: 0")
    said(guest, "cgroup-suffix", 4, "no task is in cgroup /below yet")
    said(guest, "nested-60", 0, "tasks in the last pass: 11;")
    said(guest, "nested-150", 4, "tasks in the last pass: 1;", "not all was seen: ",
         "losses: cgroup")
    said(guest, "thread", 0)
    tasks = guest.events("task", "thread:out: ")
    need([t["comm"] for t in tasks] == ["a01-poll"], f"tasks: {tasks}", guest)
    said(guest, "back-off", 0, "more than 1 % of 10 ms: looking every")
    said(guest, "not-root", 3, "run as root")
    said(guest, "pid-namespace", 3, "pid namespace of its own")
    said(guest, "no-btf", 3, "CONFIG_DEBUG_INFO_BTF")
    said(guest, "interrupt", 0, "stopped after", "0 findings")
    said(guest, "stopped-reader", 5, "Interrupted system call")
    if has(kernel, "memlock"): # maps count as locked memory
        said(guest, "rights", 3, "(before v5.11 CAP_SYS_RESOURCE, too)")
        said(guest, "few-files", 3, "(before v5.11 CAP_SYS_RESOURCE, too)")
    else:
        said(guest, "rights", 4, "without CAP_SYS_PTRACE", "without CAP_SYS_NICE",
             "without CAP_SYS_ADMIN: no live probes", "frames verified: ")
        said(guest, "few-files", 4, "Too many open files", "frames verified: ")
    few = 0 if has(kernel, "memlock") else 1
    for name, lines in (("rights", few), ("few-files", few), ("more-files", 0)):
        told = re.findall(rf"^{name}:err: .*not probed: ", guest.output, re.M)
        need(len(told) == lines, f"{name}: {told}", guest)
    if words:
        refused(guest)
    return (f"{coverage['tasks_checked']} sleeping tasks, "
            f"{coverage['frames_verified']} frames verified, 0 findings")


def endures(kernel):
    """A disk that is full for a while, a file that is moved away, a stop: told, counted, and the
    watch goes on. It ends when nobody reads, or the terminal is gone."""
    guest = Guest(kernel, "sh /endures.sh", files=["endures.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)

    def status(name):
        return guest.value(rf"^{name}: status (\d+)$")

    def errors(name):
        return re.findall(rf"^{name}:err: kcanary: (.*)$", guest.output, re.M)

    def tids(name):
        return [e["process"]["tid"] for e in guest.events("finding", f"{name}:out: ")]

    # Every line is whole: events() has parsed them. Findings that are not are on stderr.
    need(status("full") == "1", f"{status('full')}", guest)
    told = errors("full")
    need(sum("cannot write to /small/told: No space" in line for line in told) == 1 and
         sum("works again" in line for line in told) == 1, str(told), guest)
    notes = [n["text"] for n in guest.events("notice", "full:out: ") if "works again" in n["text"]]
    coverage = guest.events("stats", "full:out: ")[-1]["coverage"]
    lost = coverage["unwritten_findings"]
    need(1 <= lost <= coverage["unwritten"] and
         len(tids("full")) + lost == coverage["findings"] ==
         sum("FINDING" in line for line in told), f"{tids('full')} {coverage}", guest)
    need(len(notes) == 1 and notes[0].endswith(f" {lost} findings among them"), str(notes), guest)
    need(status("text") == "1" and any("not written: FINDING 1: " in e for e in errors("text")),
         f"{status('text')} {errors('text')}", guest)
    # Each file has a start, and what came at its time.
    need(status("rotated") == "1" and len(tids("two")) == len(tids("one")) == 1 and
         tids("two") != tids("one"), f"{tids('two')} {tids('one')}", guest)
    for name, last in (("two", "finding"), ("one", "stop")):
        events = guest.events(prefix=f"{name}:out: ")
        need((events[0]["type"], events[-1]["type"]) == ("start", last), f"{name}: {events}", guest)
    need(status("text rotated") in ("0", "4"), "text rotated", guest)
    need(any("stopped after" in line for line in errors("hup")), str(errors("hup")), guest)
    # Whatever this machine is at may make a gap of its own, which is no 0.
    for name in ("hup", "head", "head text"):
        need(status(name) in ("0", "4"), f"{name}: {status(name)}", guest)
    need(any("nobody reads any more after" in line for line in errors("head")),
         str(errors("head")), guest)
    gaps = [n["text"] for n in guest.events("notice", "gap4:out: ") if "stopped by a signal" in n["text"]]
    coverage = guest.events("stats", "gap4:out: ")[-1]["coverage"]
    need(len(gaps) == 1 and coverage["gaps"] >= 1 and coverage["gap_ms"] > 2000 and
         status("gap4") == "4", f"{gaps} {coverage}", guest)
    coverage = guest.events("stats", "gap0:out: ")[-1]["coverage"]
    need("stopped by a signal" not in str(guest.events("notice", "gap0:out: ")) and
         status("gap0") == ("4" if "gaps" in coverage else "0"), str(coverage), guest)
    for name in ("gap4", "gap0"):
        need(f"{name}: the same" in guest.output, f"{name}: another replay", guest)
    return f"{gaps[0].split(':')[0]}"


def bombed(kernel):
    """A fork bomb: no false alarm, and no second without a pass that is not told; a watch ends in
    time, and what is damaged is found while the bomb goes on and when it is gone."""
    guest = Guest(kernel, "sh /bombed.sh", files=["bombed.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    # It was one, all the time: the watch began before it and ended before it.
    need("it goes off while both watch" in guest.lines, "the watch was over before it", guest)
    refused = [int(n) for n in re.findall(r"^refused .*: (\d+)$", guest.output, re.M)]
    need(len(refused) == 2 and refused[1] >= refused[0] + 100 >= 200, f"{refused}", guest)

    stop = guest.events("stop", "bombed:out: ")[0]
    stats = guest.events("stats", "bombed:out: ")[-1]
    need(stop["why"] == "time is up" and not guest.events("finding", "bombed:out: "),
         f"a false alarm, or another end: {stop}", guest)
    coverage, probes = stats["coverage"], stats["probes"]
    reasons = {why: n for why, n in coverage["reasons"].items() if n}
    need(not set(reasons) - set(HONEST_ENDS) and not coverage["unproven"] and
         not probes["unproven"], f"not verifiable: {reasons}; {coverage} {probes}", guest)
    # A pass a second; what came more than a second later is a gap, was put off, or it was at work.
    told = (coverage.get("gap_ms", 0) + coverage.get("slowed_ms", 0)) / 1000
    need(coverage["passes"] >= 2 and coverage["seconds"] <=
         2 * (coverage["passes"] + 1) + told + coverage["cpu_seconds"],
         f"seconds of which nothing is told: {coverage}", guest)
    # Whoever was not verified is counted: most of a bomb runs, or has ended when it is looked at.
    looks = {key: coverage[key] for key in ("tasks_running", "tasks_dead", "tasks_moved",
                                            "tasks_checked", "unreadable")}
    need(sum(looks.values()) >= coverage["tasks"] + 50 * (coverage["passes"] - 1) and
         looks["tasks_running"] + looks["tasks_dead"] + looks["tasks_moved"] > 0 and
         coverage["frames_verified"] > 100, f"{coverage}", guest)
    unseen = (reasons or "gaps" in coverage or coverage["restless"] or probes["missed"] or
              probes["unmatched_returns"])
    need(bool(unseen) == bool(stop["not_seen"]) and
         guest.value(r"^bombed: status (\d+)$") == ("4" if unseen else "0"),
         f"status; {stop['not_seen']} {coverage} {probes}", guest)

    need(guest.value(r"^findings before: (\d+)$") == "0", "damaged: a false alarm", guest)
    threads = [e["process"]["comm"] for e in guest.events("finding", "damaged:out: ")]
    need(threads == ["a01-sleep", "a01-poll"] and
         guest.value(r"^damaged: status (\d+)$") == "1", f"damaged: {threads}", guest)
    first, peak = (int(guest.value(rf"^memory: {words}") or 0)
                   for words in (r"(\d+) kB at first", r"\d+ kB at first, (\d+) kB"))
    need(0 < peak < 2 * first, f"from {first} kB to {peak} kB", guest)
    return (f"{coverage['passes']} passes in {coverage['seconds']:.0f} s, {told:.0f} s told as "
            f"without, {refused[0]} forks refused, 0 findings, then 2; {first} kB, {peak} at most")


def prove(kernel, count=100):
    """Guard plans proved by running: at each check, slot against canary."""
    guest = Guest(kernel, f"sh /prove.sh {count}", files=["prove.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    runs = re.findall(r"^functions (\d+), checks probed (\d+), refused \d+, functions hit (\d+), "
                      r"comparisons (\d+), mismatches (\d+), unreadable (\d+)$",
                      guest.output, re.M)
    need(len(runs) == 2, "two runs", guest)
    statuses = re.findall(r"^prove: status (\d+)$", guest.output, re.M)
    need(statuses == ["0" if run[2] != "0" else "4" for run in runs] and runs[0][2] != "0",
         f"statuses {statuses}", guest)
    functions, checks, hit, compared, mismatches, unreadable = (
        sum(int(run[i]) for run in runs) for i in range(6))
    need(functions == count + 50, f"{functions} functions probed", guest)
    need(mismatches == 0 and unreadable == 0, f"{mismatches} mismatches", guest)
    need(hit >= count // 16 and compared >= 4 * count,
         f"only {hit} functions hit, {compared} compared", guest)
    seeds = " and ".join(re.findall(r"seed (\d+)", guest.output))
    return (f"{functions} functions, {checks} checks, {hit} functions hit, {compared} comparisons, "
            f"0 mismatches, seeds {seeds}")


TABLES_END = "the unwind tables do not cover this place"
NO_TABLES = "code without unwind tables (generated, or an unreadable module)"
EARLY = "ended early: an end mark or user registers below the top of the stack"

# How a stack may end early on a healthy kernel: a task that was interrupted in code
# for which the tables say so themselves, and whose way on can't be followed.
HONEST_ENDS = (TABLES_END, NO_TABLES, EARLY, "the frame hangs on a register that was not saved")


def undisturbed(guest):
    """A guest with no fault in it: no finding, no difference that is not explained, and
    no blind spot but the honest ones. What was covered, and those."""
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    need(not guest.events("finding"), "a false alarm", guest)
    coverage = guest.events("stats")[-1]["coverage"]
    reasons = {why: n for why, n in coverage["reasons"].items() if n}
    need(not set(reasons) - set(HONEST_ENDS), f"not verifiable: {reasons}", guest)
    need(coverage["unproven"] == 0, f"unproven: {coverage['unproven']}", guest)
    need(coverage["frames_verified"] > 1000, str(coverage), guest)
    return coverage, reasons


def soak(kernel, seconds=12, *options):
    """Every sleeping task of a busy guest: unwound, or a reason; no false alarm."""
    guest = Guest(kernel, f"sh /soak.sh {seconds}", *options, files=["soak.sh"],
                  timeout=seconds * 3 + 600)
    coverage, reasons = undisturbed(guest)
    need(coverage["stale_passes"] == 0, str(coverage), guest)
    need(sum(reasons.values()) * 1000 < coverage["tasks_checked"], f"too many: {reasons}", guest)
    # A busy machine keeps hits from probes, and a return is then without its entry.
    probes = guest.events("stats")[-1]["probes"]
    missed, unmatched = probes["missed"], probes["unmatched_returns"]
    need(missed is None or unmatched <= missed, f"unmatched: {probes}", guest)
    unseen = reasons or "gaps" in coverage or missed or unmatched
    need(guest.value(r"^watch: status (\d+)") == ("4" if unseen else "0"), "status", guest)
    return (f"{coverage['passes']} passes, {coverage['tasks_checked']} sleeping tasks, "
            f"{coverage['frames_verified']} frames verified, {sum(reasons.values())} not, "
            f"{coverage['tasks_moved']} moved, 0 findings")


def walk(kernel, seconds=10):
    """Stacks of a busy guest, walked in the kernel and here: both come to the same."""
    options = ("--append", "preempt=full") if has(kernel, "preempt") else ()
    guest = Guest(kernel, f"sh /soak.sh {seconds} --compare-walks", *options, files=["soak.sh"],
                  timeout=seconds * 3 + 600)
    undisturbed(guest)
    told = re.search(r"of (\d+) stacks (\d+) were verified by tables, (\d+) walked in the kernel, "
                     r"(\d+) with another outcome", guest.output + guest.errors)
    need(told, "does not say what came of it", guest)
    stacks, whole, walked, otherwise = map(int, told.groups())
    need(not otherwise, f"{otherwise} of {walked} walks with another outcome", guest)
    # Rules are derived as places are seen: a busy guest has new ones all the time.
    need(walked > 0.8 * whole and walked > 1000, f"{walked} of {whole}", guest)
    return f"{stacks} stacks, {whole} verified by tables, {walked} walked alike"


def gated(kernel, seconds=12):
    """Every switch of a busy guest verified, or a reason; no false alarm."""
    guest = Guest(kernel, f"sh /soak.sh {seconds} --gate", files=["soak.sh"],
                  timeout=seconds * 3 + 600)
    coverage, _ = undisturbed(guest)
    verified, others = coverage.get("gate_verified", 0), [
        coverage.get(f"gate_{why}", 0) for why in ("no_rule", "odd", "paused", "again")]
    need(not coverage.get("gate_again"), str(coverage), guest)
    # Rules are derived as places are seen; where kernel code is preempted many are new ones.
    need(verified > 2 * sum(others) and verified > 1000, f"{verified} and {others}", guest)
    return (f"{verified} switches verified, {coverage['gate_frames']} frames; not: "
            f"{others[0]} places not met before, {others[1]} odd, {others[2]} paused; 0 findings")


def modules(kernel):
    guest = Guest(kernel, "sh /modules.sh", files=["modules.sh"])
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    need(re.search(r"^control_write \[stackfault\] +\d+ +CFA-0x[0-9a-f]+ ", guest.output, re.M),
         "the module's function has no plan", guest)
    need("seal: slot" in guest.output and "check: compares" in guest.output, "explain", guest)
    need(int(guest.value(r"^kcore agrees on (\d+) functions") or 0) > 4, "kcore differs", guest)
    changes = int(guest.value(r"^watch: status [04] after (\d+) changes$") or 0)
    need(changes >= 3, "the watch did not survive the changes", guest)
    coverage = guest.events("stats")[-1]["coverage"]
    need(coverage["findings"] == 0 and coverage["frames_verified"] > 100, str(coverage), guest)
    # Its probes went with it: told once, and no longer counted as placed; back with it, if
    # there is a pass after it.
    gone = "no longer probed: stackfault_checked [stackfault]: its module was unloaded"
    back = ("probed again: stackfault_checked [stackfault]: its module was loaded again; calls "
            "before this were not seen")
    for name, told in (("probed", [gone, back]), ("late", [gone])):
        need(guest.value(rf"^{name}: status (\d+)$") == "4", f"{name}: status", guest)
        notices = [n["text"] for n in guest.events("notice", f"{name}:out: ")
                   if "probed" in n["text"]]
        need(notices == told, f"{name}: {notices}", guest)
        start = guest.events("start", f"{name}:out: ")[0]
        checks = {f["function"]: f["checks"] for f in start["watch"]["probes"]}
        stats = guest.events("stats", f"{name}:out: ")[-1]["probes"]
        # Of the other function an entry, of panic the tripwire.
        its = 1 + checks["stackfault_checked [stackfault]"]
        need(stats["failed"] == its >= 2 and stats["attached"] ==
             1 + checks["hrtimer_nanosleep"] + 1 + (its if back in told else 0),
             f"{checks} {stats}", guest)
        # What was counted before counts on.
        need(stats["comparisons"] + (stats["missed"] or 0) >= 500 + 300 * (back in told),
             str(stats), guest)
    # As often as it likes: nothing of those that went is left over.
    descriptors = re.findall(r"^again: (\d+) descriptors$", guest.output, re.M)
    need(len(descriptors) == 6 and len(set(descriptors)) == 1, str(descriptors), guest)
    need(len([n for n in guest.events("notice", "again:out: ")
              if n["text"].startswith("probed again: ")]) == 18, "again: notices", guest)
    stats = guest.events("stats", "again:out: ")[-1]["probes"]
    placed = guest.events("start", "again:out: ")[0]["watch"]["probes"]
    # An entry's for each function, and the tripwire.
    need(stats["attached"] == 1 + sum(1 + f["checks"] + f["returns"] for f in placed),
         f"{placed} {stats}", guest)
    need(stats["comparisons"] + (stats["missed"] or 0) >= 600, str(stats), guest)
    # Calls that were under way when probes came back are no missed ones.
    need(stats["unmatched_returns"] <= (stats["missed"] or 0), str(stats), guest)
    need(not guest.events("finding", "again:out: "), "again: a false alarm", guest)
    return (f"{changes} times unloaded and loaded, {coverage['frames_verified']} frames verified, "
            f"{stats['early_returns']} early calls, {descriptors[-1]} descriptors")


def patched(kernel):
    """Breakpoints in the text that plans are made from: no false alarm, and all is planned and
    probed as without."""
    guest = Guest(kernel, "sh /patched.sh", files=["patched.sh"])
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    need(not guest.events("finding"), "a false alarm", guest)
    need(not guest.events("notice"), str(guest.events("notice")), guest)
    need(guest.value(r"^watch: status (\d+)") == "0", "watch", guest)
    need(guest.value(r"^prove: status (\d+)") == "0", "prove", guest)
    checks = int(guest.value(r"checks probed (\d+)") or 0)
    need(checks >= 6, f"only {checks} checks probed", guest)
    coverage = guest.events("stats")[-1]["coverage"]
    need(coverage["frames_verified"] > 100, str(coverage), guest)
    return f"{checks} breakpoints, {coverage['frames_verified']} frames verified, 0 findings"


def foreign(kernel):
    """Others' kprobes, there first, as breakpoints and as jumps: plans as without, every check
    probed and compared, no notice; and the same of two watches at once."""
    guest = Guest(kernel, "sh /foreign.sh", files=["foreign.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    placed = guest.value(r"^placed: (\d+), [1-9]")
    need(int(placed or 0) >= 10, "too few foreign probes", guest)
    for jumps in (0, 1):
        for words in ("the same", "still the same"):
            need(f"jumps {jumps}: {words}" in guest.lines, f"jumps {jumps}: not {words}", guest)
    for name in ("one", "two", "jumps0", "jumps1"):
        events = guest.events(prefix=f"{name}:out: ")
        # A machine that was elsewhere for seconds is told of, and no more than that.
        late = [e for e in events if e["type"] == "notice" and LATE in e["text"]]
        need({e["type"] for e in events if e not in late} == {"start", "stats", "stop"},
             f"{name}: types", guest)
        need(len(events[0]["watch"]["probes"]) == 3, f"{name}: {events[0]}", guest)
        stats = [e for e in events if e["type"] == "stats"][-1]
        missed = stats["probes"]["missed"] or 0
        need(stats["probes"]["comparisons"] + missed >= 5000 and not stats["probes"]["failed"],
             f"{name}: {stats['probes']}", guest)
        blind = {why for why, n in stats["coverage"]["reasons"].items() if n}
        need(not blind - set(HONEST_ENDS), f"{name}: not verifiable: {blind}", guest)
        need(guest.value(rf"^{name}: status (\d+)$") == ("4" if blind or missed or late
                                                              else "0"), f"{name}: status", guest)
    return f"{placed} foreign probes, {stats['probes']['comparisons']} checks compared"


def frames(kernel):
    """Damage to any slot, return address or stack end of any thread is found, and no
    other: a stale copy of the canary on the stack is nobody's slot."""
    guest = Guest(kernel, "sh /frames.sh", files=["frames.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)

    def verified(name):
        return {e["tid"]: e["frames_verified"] for e in guest.events("task", f"{name}:out: ")}

    def poked(name):
        return [int(tid) for tid in guest.value(rf"^{name}:poked: (.*)$").split()]

    def findings(name):
        return [(e["process"]["tid"], e["anomaly"], e["code"]["function"])
                for e in guest.events("finding", f"{name}:out: ")]

    whole = verified("whole")
    need(len(whole) == 10, f"App01 has 10 threads, not {len(whole)}", guest)
    need(verified("restored") == whole, "not as before", guest)
    rounds = re.findall(r"^((?:canary|return)-\d+):status: ", guest.output, re.M)
    slots = {tid: [] for tid in whole}
    returns = {tid: [] for tid in whole}
    for name in rounds:
        kind, found, want = name.split("-")[0], (slots, returns), ("slot", "return-address")
        for tid, anomaly, function in findings(name):
            need(tid in poked(name), f"{name}: blamed thread {tid}", guest)
            need(anomaly == want[kind == "return"], f"{name}: {anomaly} in {function}", guest)
            found[kind == "return"][tid].append(function)
    for tid, functions in slots.items():
        need(len(functions) == whole[tid] and len(set(functions)) == len(functions),
             f"thread {tid}: {whole[tid]} frames verified, damage found in {functions}", guest)
        need(len(returns[tid]) >= 3 and len(set(returns[tid])) == len(returns[tid]),
             f"thread {tid}: return addresses of {returns[tid]}", guest)
    # The innermost return address belongs to no frame: not proved, and not silent.
    need(guest.value(r"^return-0:status: (\d+)$") == "4", "return-0", guest)
    need(sorted(findings("end"))[0][1] == "stack-end" and
         sorted(tid for tid, _, _ in findings("end")) == sorted(whole), "stack ends", guest)
    functions = sorted(set(sum(slots.values(), [])))
    return (f"{sum(map(len, slots.values()))} slots of {len(functions)} functions, "
            f"{sum(map(len, returns.values()))} return addresses, {len(whole)} stack ends; "
            f"slots in {' '.join(functions)}")


def hold(kernel, seconds=5):
    """Threads with damaged frames are held where they sleep, and the host lives; what freezing
    would wake is left alone, and that is said."""
    guest = Guest(kernel, f"sh /hold.sh {seconds}", files=["hold.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    tids = dict(re.findall(r"(sleeper|waiter|poller) (\d+)", guest.output))
    notices = [n["text"] for n in guest.events("notice", "out: ")]
    for who in ("sleeper", "waiter"):
        need(any(re.match(rf"thread {tids[who]} of process \d+ \(finding \d+\) is held in place: ", text)
                 for text in notices), f"{who}: {notices}", guest)
    # Each with its finding before it.
    found = [e["process"]["tid"] for e in guest.events("finding", "out: ")]
    need(sorted(found) == sorted(int(tids[who]) for who in ("sleeper", "waiter")), str(found), guest)
    refused = [n["text"] for n in guest.events("notice", "polled: ")]
    need(guest.events("finding", "polled: ") and refused and
         all("is not held: where it sleeps, freezing would wake it" in text for text in refused),
         str(refused), guest)
    listed = re.findall(r"^ +(\d+) +\d+ \S+ \S+ +\d+  damaged in (\S+)\+0x", guest.output, re.M)
    need(sorted(tid for tid, _ in listed) == sorted((tids["sleeper"], tids["waiter"])), str(listed), guest)
    need(dict(listed)[tids["sleeper"]] == "hrtimer_nanosleep", str(listed), guest)
    need(guest.output.count("nothing is held\n") == 2, "held, before and after", guest)
    need("gone" not in guest.output, "one of them went", guest)
    need(guest.value(r"^oom while held: (\S+)$") == "-1000", "the OOM killer may choose it", guest)
    for what, status in (("release 1", "2"), ("release of what is damaged", "1"),
                         ("release of what is whole", "0")):
        statuses = re.findall(rf"^{what}: status (\d+)$", guest.output, re.M)
        need(statuses and set(statuses) == {status}, f"{what}: {statuses}", guest)
    need(guest.value(r"^app: status (\d+)$") == "137", "App01 was not killed in the end", guest)
    return f"held for {seconds} s after SIGKILL, in {', '.join(sorted(set(f for _, f in listed)))}"


POINTED = {
    "slab": r"\[kmalloc-(rnd-\d+-|cg-)?64\]\+0x10",
    "page": r"a page of memory, no slab's",
    "percpu": r"cpu_info\+0x8 of CPU 0",
    "vmalloc": r"vmalloc area of \S+\+0x[0-9a-f]+ \[stackfault\], \+0x1008",
    "static": r"init_uts_ns\+0x8",
    "stack": r"stack of thread {shell}, depth 0x100",
    "task": r"task_struct of thread {shell}, \+0x18",
    "canary": r"the canary of thread {shell}",
}


def pointed(kernel):
    """What a kernel address in a damaged slot points to is told, by name and never as it is."""
    guest = Guest(kernel, "sh /pointed.sh", files=["pointed.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    shell = guest.value(r"^shell: (\d+)$")
    for kind, what in POINTED.items():
        what = what.replace("{shell}", shell)
        findings = guest.events("finding", f"{kind}:out: ")
        need(findings, f"{kind}: not found", guest)
        for finding in findings:
            slots = [word for word in finding["frame"].get("points_to", ())
                     if re.fullmatch(what, word["what"])]
            need(slots, f"{kind}: {finding['frame'].get('points_to')}", guest)
            need((finding["verdict"]["class"] == "wrong-stack") == (kind == "canary"),
                 f"{kind}: {finding['verdict']}", guest)
    piped = guest.events("finding", "slab:out: ")[0]
    need(piped["syscall"]["name"] == "read" and piped["process"]["uid"] == 0 and
         re.fullmatch(r"pipe:\[\d+\]", piped["syscall"].get("file", "")), str(piped["syscall"]), guest)
    need(re.search(r"^text: +file descriptor \d+ is pipe:\[\d+\]$", guest.output, re.M), "text", guest)
    for told in (r"<- slot, DAMAGED, ", "it points to "):
        need(re.search(rf"^text: .*{told}{POINTED['slab']}$", guest.output, re.M), told, guest)
    return f"{len(POINTED)} kinds"


def rerouted(kernel):
    """A return address that changes while its thread sleeps is found, though it is one."""
    guest = Guest(kernel, "sh /rerouted.sh", files=["rerouted.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    changed = sorted(re.findall(r"^changed: (\d+) ([^+]+\+0x[0-9a-f]+)$", guest.output, re.M))
    need(len(changed) >= 12, f"{len(changed)} were changed", guest)
    need(any(place.startswith("do_syscall_64+") for _, place in changed), str(changed), guest)
    findings = guest.events("finding", "watch:out: ")
    told = sorted((str(e["process"]["tid"]),
                   e["frame"].get("return_was", "").replace(" [stackfault]", "")) for e in findings)
    need(told == changed, f"{told} instead of {changed}", guest)
    # The third thread's and later ones are many.
    need({(e["anomaly"], e["verdict"]["class"], e["verdict"]["confidence"]) for e in findings} ==
         {("return-address", "return-address", "high"), ("return-address", "widespread", "high")},
         str(findings), guest)
    need(not guest.events("finding", "restored:out: "), "a false alarm", guest)
    need(guest.value(r"^watch: status (\d+)$") == "1", "watch", guest)
    return f"{len(changed)} of {len(changed)}: {' '.join(sorted({place for _, place in changed}))}"


def misled(kernel):
    """A return address that changed before anybody looked: no frame is made up behind a call that
    leads elsewhere, the place is named; an indirect call (README) leads anywhere."""
    guest = Guest(kernel, "sh /misled.sh", files=["misled.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    changed = len(re.findall(r"^changed: \d+$", guest.output, re.M))
    need(changed >= 12, f"{changed} were changed", guest)
    named = len(re.findall(r"^audit:err: .*, in \S+: the call before a return address does not lead "
                           r"to the frame below$", guest.output, re.M))
    findings = guest.events("finding", "audit:out: ")
    told = re.findall(r"^told: (\S+) behind (.*)$", guest.output, re.M)
    need(len(told) == len(findings) and
         all(re.search(r"indirect_thunk|\*|jumps indirectly", before) for _, before in told),
         f"{told}", guest)
    need(named >= changed / 2, f"{named} of {changed} named", guest)
    restored = guest.events("stats", "restored:out: ")
    need(len(restored) == 3 and not any(event["coverage"]["not_verifiable"] or
                                        event["coverage"]["findings"] for event in restored),
         str(restored)[:400], guest)
    return f"{changed} changed, {named} led elsewhere, {len(findings)} led on by an indirect call"


def compat(kernel):
    """A 32-bit call has a number of its own, whatever code makes it: as probes and sweep say it."""
    guest = Guest(kernel, "sh /compat.sh", files=["compat.sh"])
    need(guest.status == 0 and not guest.splats(), f"{guest.status} {guest.splats()[:3]}", guest)
    at = [guest.value(rf"^{name} (0x[0-9a-f]+)$") for name in ("shortly", "long")]
    found = {e["anomaly"]: e["syscall"] for e in guest.events("finding")}
    for anomaly in ("headroom", "slot"):
        call = found[anomaly]
        need((call["nr"], call["name"], call.get("compat")) == (162, "nanosleep", True),
             f"{anomaly}: {call}", guest)
        need(call["args"][0] in at and call["args"][1] == "0x0", f"{anomaly}: {call}", guest)
    return f"{found['slot']['name']}({', '.join(found['slot']['args'][:2])})"


def leak(kernel):
    guest = Guest(kernel, "sh /leak.sh", files=["leak.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    need(guest.value(r"^leak: status (\d+)") == "0", "canaries leaked", guest)
    need(guest.value(r"^planted: status (\d+)") == "1", "the search finds nothing", guest)
    need(int(guest.value(r"^findings: (\d+)") or 0) >= 9, "too few findings", guest)
    searched = guest.value(r"^(searched for .*: 0 hits)$")
    need(int(re.search(r"for (\d+)", searched).group(1)) > 100, searched, guest)
    return searched


def traps(kernel, seconds=20, *options):
    """No false alarm, whatever the tasks do; see tests/apps/traps.c."""
    guest = Guest(kernel, f"sh /traps.sh {seconds}", *options, files=["traps.sh"],
                  timeout=seconds * 3 + 600)
    coverage, reasons = undisturbed(guest)
    need(int(guest.value(r"^CPU 1 went and came: (\d+)") or 0) > 3, "no CPU hotplug", guest)
    for trap in ("threads ended", "processes of fork bombs", "execs", "zombies", "page faults",
                 "signal handlers", "stopped", "ptrace stops", "frozen", "rounds of spinning"):
        need(int(guest.value(rf"^{trap}: (\d+)") or 0) > 3, f"too few: {trap}", guest)
    return (f"{coverage['passes']} passes, {coverage['frames_verified']} frames verified, "
            f"{sum(reasons.values())} not, {coverage['tasks_moved']} moved, 0 findings")


def interrupted(kernel):
    """Stacks that go on behind a retpoline, or behind a probe's trampoline: verified in full."""
    guest = Guest(kernel, "sh /interrupted.sh", "--append", "preempt=full spectre_v2=on",
                  files=["interrupted.sh"])
    coverage, reasons = undisturbed(guest)
    need(not set(reasons) & {TABLES_END, NO_TABLES, EARLY}, f"not verifiable: {reasons}", guest)
    through = len(re.findall(r"followed through code without unwind tables from", guest.output))
    need(through >= 20, f"{through} stacks", guest)
    return (f"{coverage['tasks_checked']} sleeping tasks, {through} through code without tables, "
            f"{sum(reasons.values())} not, 0 findings")


def sampled(kernel, times=3):
    """Damage in a function that runs, and that nobody probes: two samples of it are a finding."""
    guest = Guest(kernel, f"sh /sampled.sh {times}", files=["sampled.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    noted = [json.loads(line) for line in guest.lines if re.match(r'\{"(whole|damaged)"', line)]
    damaged = [note["damaged"] for note in noted if "damaged" in note]
    guest.lines = [line for line in guest.lines if line.startswith('{"schema"')]
    findings = guest.events("finding")
    need([f["process"]["tid"] for f in findings] == damaged and len(damaged) == times,
         f"damaged: {damaged}, found: {[f['process']['tid'] for f in findings]}", guest)
    for finding in findings:
        slot = finding["frame"]["slot"]
        need(finding["engine"] == "sample" and finding["anomaly"] == "slot", str(finding), guest)
        need(finding["code"]["function"] == "stackfault_toil", str(finding["code"]), guest)
        need(slot["found"] == "ascii" and slot["changed_bits"] in ("3-8", "more"), str(slot), guest)
        # A byte of a random canary may have been an A before.
        need(len(slot["changed_bytes"]) >= 6, str(slot), guest)
        need(finding["verdict"]["class"] in ("linear-overflow", "widespread"), str(finding), guest)
        need(finding["differed_boot_ns"] < finding["boot_ns"], str(finding), guest)
        need(finding["syscall"]["name"] == "write", str(finding["syscall"]), guest)
    totals = guest.events("stats")[-1]["coverage"]
    need("unsampled" not in totals, str(totals), guest)
    # A pass may meet it preempted, and then not again.
    doubts = [note["text"] for note in guest.events("notice") if "not proved" in note["text"]]
    need(all("a difference in stackfault_toil+" in text for text in doubts), str(doubts), guest)
    blind = {name: totals.get(name, 0) for name in
             ("sample_lost", "sample_unfollowed", "sample_unplanned", "sample_unsure")}
    return (f"{times} of {times}; of {totals['samples']} samples, {totals['sample_frames']} frames "
            f"verified, {totals.get('sample_other_stack', 0)} on other stacks; {blind}")


def offset(kernel):
    """The same with a random offset of each system call's stack."""
    return traps(kernel, 15, "--append", "randomize_kstack_offset=on")


def lockdown(kernel):
    guest = Guest(kernel, "kcanary watch -d 1; echo status: $?", "--append",
                  "lockdown=confidentiality")
    need(guest.value(r"^status: (\d+)") == "3", "should refuse with status 3", guest)
    need("locked down for confidentiality" in guest.output, "should say why", guest)
    return ""


def lkdtm(kernel, test, *options, **how):
    """A guest in which one of the kernel's own crash tests is run, and its disk's events."""
    built = subprocess.run([os.path.join(TOP, "tests/vm/lkdtm"), kernel], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    if built.returncode:
        raise AssertionError(built.stderr)
    with disk(16) as image:
        guest = Guest(kernel, f"sh /lkdtm.sh {test} {' '.join(options)}", "--disk", image,
                      "--add", built.stdout.strip() + ":/lib/lkdtm.ko", files=["lkdtm.sh"],
                      **how)
        pid = guest.disk_events(image, "/pid")[0]["pid"]
        events = guest.disk_events(image, "/findings")
    need(f"lkdtm: Performing direct entry {test}" in guest.log, "the test did not run", guest)
    found = [event for event in events if event["type"] in ("evidence", "finding")]
    need(all(event["process"]["pid"] == pid for event in found), str(found), guest)
    return guest, found


def logged_first(guest, evidence):
    logged = guest.log.find(f"kcanary: evidence {evidence['finding']}: ")
    end = len(guest.log) if guest.status == 127 else guest.log.find("Kernel panic - not syncing")
    need(0 <= logged < end, "not before the panic in the kernel's log", guest)


def corrupted(kernel, times=2):
    """LKDTM's overflows of a frame, of a function that nobody watches."""
    for i in range(2 * times):
        test = ("CORRUPT_STACK", "CORRUPT_STACK_STRONG")[i % 2]
        guest, found = lkdtm(kernel, test)
        # The CPU is held until the first is on the disk; on a busy machine the finding may be late.
        need([event["type"] for event in found] in (["evidence"], ["evidence", "finding"]),
             str(found), guest)
        need(found[0]["engine"] == "tripwire" and
             found[0]["code"]["place"].startswith(f"lkdtm_{test}+0x"), str(found[0]), guest)
        need(found[-1]["code"].get("function", "lkdtm_" + test) == "lkdtm_" + test,
             str(found[-1]), guest)
        logged_first(guest, found[0])
        need(guest.panic()[1] == "lkdtm_" + test, str(guest.panic()), guest)
    return f"{times} of {times}, twice"


def exhausted(kernel, times=2):
    """LKDTM's recursion into the guard page, with the function watched: no stack protector sees
    such an end, nor does the tripwire."""
    # v5.10's recursion prints at each level, and meets the end within printk(), with its lock taken.
    hangs = has(kernel, "lkdtm-hangs")
    # Where the end meets a kernel that is handling another one, it may have no words for it.
    how = {"timeout": 60, "hangs": True} if hangs else {"dies": True}
    for _ in range(times):
        guest, found = lkdtm(kernel, "EXHAUST_STACK", "-f", "recursive_loop", **how)
        need(found and {event["anomaly"] for event in found} == {"headroom"}, str(found), guest)
        # The function's own frame takes 1,024 bytes and some registers.
        need(1536 <= found[0]["frame"]["headroom"] < 2048 + 1200, str(found[0]), guest)
        if guest.status == 124 and hangs:
            need(f"kcanary: evidence {found[0]['finding']}: " in guest.log, "not logged", guest)
            continue
        logged_first(guest, found[0])
        need(not guest.panic() and guest.status in (126, 127), f"status {guest.status}", guest)
    return f"{times} of {times}"


def spied(kernel, times=2):
    """LKDTM looks for the canary in a frame of its own: that is no finding."""
    for _ in range(times):
        guest, found = lkdtm(kernel, "REPORT_STACK_CANARY")
        need(guest.status == 0 and not found, f"status {guest.status}: {found}", guest)
        need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
        need(guest.value(r"^watch: status (\d+)$") in ("0", "4"), "watch", guest)
        need(guest.value(r"^leak: status (\d+)$") == "0", "a canary leaked", guest)
    return f"{times} of {times}"


def cases_of(kernels):
    """(kernel, case) of each case that the kernel has the features for."""
    everywhere = (watched, tripwire, alien, afar, gate, frozen, hogged, deep, brink, traced,
                  disarmed, recorded, frames, pointed, hold, rerouted, misled, compat, prove, doctored, traps, nanosleep, futex, leak,
                  quiet, soak, gated, walk, calls, flood, grouped, clean, endures, bombed, modules,
                  patched, foreign, sampled)
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
LONG = {prove: (250,), watched: (20,), tripwire: (20,), frozen: (20,), gate: (20,), sampled: (20,), hold: (60,), calls: (60,), traps: (60,), soak: (60,), walk: (240,), gated: (120,),
        corrupted: (20,), exhausted: (20,), spied: (20,)}
