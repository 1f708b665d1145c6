# SPDX-License-Identifier: GPL-2.0-only
"""Guest cases of a tool on somebody's host: its words, its files, its packages, its end."""
import difflib
import importlib.machinery
import itertools
import json
import os
import re
import subprocess
import tempfile

from common import KERNELS, LATE, disk, has, need
from guest import TOP, Guest

unpack = importlib.machinery.SourceFileLoader(
    "unpack", os.path.join(TOP, "tests/fuzz/unpack")).load_module()


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


def lockdown(kernel):
    guest = Guest(kernel, "kcanary watch -d 1; echo status: $?", "--append",
                  "lockdown=confidentiality")
    need(guest.value(r"^status: (\d+)") == "3", "should refuse with status 3", guest)
    need("locked down for confidentiality" in guest.output, "should say why", guest)
    return ""
