# SPDX-License-Identifier: GPL-2.0-only
"""Guest cases in which something is damaged: it is found, told as what it is, and survived where
it can be."""
import json
import os
import re
import subprocess

from common import disk, has, need
from guest import TOP, Guest


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
    # A sleeper's CPU may go to a task that no gate looks at: not each time.
    need(coverage.get("gate_deep", 0) > 0 and coverage["gate_verified"] > 0, str(coverage), guest)
    return f"{coverage['gate_deep']} times not, {coverage['gate_verified']} switches verified"


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


# What is done to a sleeping thread, in words of the README's table; its name in matrix.sh, and the
# verdict's class, or none where it is nothing.
MATRIX = (
    ("16 bytes past an object of the frame, upwards", "overflow", "linear-overflow"),
    ("24 bytes past a futex_q", "overflow-futex", "linear-overflow"),
    ("the slot's lowest byte", "byte", "linear-overflow"),
    ("one bit of the slot", "bit", "bit-flip"),
    ("the slot less 3", "decrement", "decrement"),
    ("8 bytes of the slot, alone", "other", "stray-write"),
    ("zero in the slot", "zero", "stray-write"),
    ("a kernel address in the slot", "static", "stray-write"),
    ("another thread's canary in the slot", "canary", "wrong-stack"),
    ("a return address, the slots whole", "return", "return-address"),
    ("STACK_END_MAGIC", "end", "exhausted"),
    ("all slots of one stack", "stack", "widespread"),
    ("all slots of four threads", "threads", "widespread"),
    ("the same value once more", "same", None),
    ("nothing, and all of that undone", "undone", None),
)


def matrix(kernel):
    """Fault by fault: found and told as what it is, or silent where nothing is damaged."""
    guest = Guest(kernel, "sh /matrix.sh", files=["matrix.sh"])
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    with open(os.path.join(TOP, "README.md")) as file:
        readme = file.read()
    for words, name, verdict in (*MATRIX, ("nothing", "nothing", None)):
        need(guest.value(rf"^{name}: status (\d+)$") == ("1" if verdict else "0"), name, guest)
        findings = guest.events("finding", f"{name}:out: ")
        classes = {f["verdict"]["class"] for f in findings}
        need(classes == ({verdict} if verdict else set()), f"{name}: {classes}", guest)
        need(len(findings) == 1 or verdict in (None, "widespread"), f"{name}: {findings}", guest)
        need(name == "nothing" or f"| {words} | {verdict or 'silent'} |" in readme,
             f"the README's table lacks '{words}'", guest)
    threads = {f["process"]["tid"] for f in guest.events("finding", "threads:out: ")}
    need(len(threads) == 4, f"threads: {threads}", guest)
    return f"{len(MATRIX)} faults, {sum(v is None for _, _, v in MATRIX)} of them none"


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
         all(re.search(r"indirect_thunk|\*|jumps (indirectly|there)", before) for _, before in told),
         f"{told}", guest)
    need(named >= changed / 2, f"{named} of {changed} named", guest)
    restored = guest.events("stats", "restored:out: ")
    need(len(restored) == 3 and not any(event["coverage"]["not_verifiable"] or
                                        event["coverage"]["findings"] for event in restored),
         str(restored)[:400], guest)
    rerouted, marked = guest.value(r"^rerouted: (\d+)$"), guest.value(r"^marked: (.*)$")
    need([str(finding["process"]["tid"]) for finding in guest.events("finding", "watch:out: ")] ==
         marked.split(), "the watch's findings", guest)
    told = set(re.findall(r"^watch:err: .*tid (\d+), .*: the call before a return address does not "
                          "lead to the frame below$", guest.output, re.M))
    need(told == {rerouted}, f"the watch took {rerouted} for what it had met; told: {told}", guest)
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
    # A pass may come first, where others keep it from its CPU for so long.
    sampled_first = [finding for finding in findings if finding["engine"] == "sample"]
    need(len(sampled_first) > times / 2, f"{len(sampled_first)} by samples", guest)
    for finding in findings:
        slot = finding["frame"]["slot"]
        need(finding["engine"] in ("sample", "sweep") and finding["anomaly"] == "slot",
             str(finding), guest)
        need(finding["code"]["function"] == "stackfault_toil", str(finding["code"]), guest)
        need(slot["found"] == "ascii" and slot["changed_bits"] in ("3-8", "more"), str(slot), guest)
        # A byte of a random canary may have been an A before.
        need(len(slot["changed_bytes"]) >= 6, str(slot), guest)
        need(finding["verdict"]["class"] in ("linear-overflow", "widespread"), str(finding), guest)
    for finding in sampled_first:
        need(finding["differed_boot_ns"] < finding["boot_ns"], str(finding), guest)
        need(finding["syscall"]["name"] == "write", str(finding["syscall"]), guest)
    totals = guest.events("stats")[-1]["coverage"]
    need("unsampled" not in totals, str(totals), guest)
    # A pass may meet it preempted, and then not again.
    doubts = [note["text"] for note in guest.events("notice") if "not proved" in note["text"]]
    need(all("a difference in stackfault_toil+" in text for text in doubts), str(doubts), guest)
    blind = {name: totals.get(name, 0) for name in
             ("sample_lost", "sample_unfollowed", "sample_unplanned", "sample_unsure")}
    return (f"{times} of {times}, {len(sampled_first)} by samples; of {totals['samples']} samples, "
            f"{totals['sample_frames']} frames verified, {totals.get('sample_other_stack', 0)} on other stacks; {blind}")


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
