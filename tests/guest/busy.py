# SPDX-License-Identifier: GPL-2.0-only
"""Guest cases with nothing damaged, or nothing that hurts: under load, beside other tools and while
the kernel changes. No false alarm, and what is not seen is counted."""
import re

from common import EARLY, HONEST_ENDS, LATE, NO_TABLES, PATCHING, TABLES_END, has, need
from guest import Guest


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


def undisturbed(guest):
    """A guest with no fault in it: no finding, no difference that is not explained, and
    no blind spot but the honest ones. What was covered, and those."""
    need(guest.status == 0, f"status {guest.status}", guest)
    need(not guest.splats(), f"splats: {guest.splats()[:3]}", guest)
    need(not guest.events("finding"), "a false alarm", guest)
    coverage = guest.events("stats")[-1]["coverage"]
    reasons = {why: n for why, n in coverage["reasons"].items() if n}
    patching = {PATCHING} if reasons.get(PATCHING, 0) < coverage["tasks_checked"] / 100 else set()
    need(not set(reasons) - set(HONEST_ENDS) - patching, f"not verifiable: {reasons}", guest)
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


def offset(kernel):
    """The same with a random offset of each system call's stack."""
    return traps(kernel, 15, "--append", "randomize_kstack_offset=on")
