#!/usr/bin/env python3
"""The fuzz doors of build/fuzz, one after the other, round by round, until they have used the processor time asked for.

fuzz.py [DOOR|all] [--slice SECONDS] [--cpu SECONDS] [--log FILE] [--summary FILE]

A slice is one run of one door, seeded with its committed corpus and with what earlier runs found new in
build/fuzz-corpus/DOOR. A crash, a hang (20 s for one input), a leak or more than 2 GiB ends the slice; its input is kept as
build/fuzz-corpus/DOOR.findings/..., and the run goes on with the next door. The log has one line a slice; the summary (a table
by door) is computed from the log alone, so that several runs add up. Exit status 1 when anything was found.
"""
import argparse
import collections
import datetime
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/fuzz"
FOUND = ROOT / "build/fuzz-corpus"


def doors():
    """Name to (program, committed corpus); cmake/biopsy.cmake writes one NAME.corpus beside each door."""
    return {mark.stem: (mark.with_suffix(""), pathlib.Path(mark.read_text().strip()))
            for mark in sorted(BUILD.rglob("*.corpus")) if mark.with_suffix("").is_file()}


def commit():
    done = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def starved(program, finding):
    """A timeout counts wall time: on a busy machine a fast input can look like a hang. Alone it must end within 20 s."""
    if not finding.name.startswith(("timeout-", "slow-unit-")):
        return False
    alone = subprocess.run([program, "-timeout=20", finding], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if alone.returncode == 0:
        finding.unlink()
    return alone.returncode == 0


def one_slice(name, program, corpus, seconds):
    grown, findings = FOUND / name, FOUND / f"{name}.findings"
    for folder in (grown, findings):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    started = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    child = subprocess.Popen([program, f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1",
                              f"-artifact_prefix={findings}/", grown, corpus],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    status = os.waitstatus_to_exitcode(status)
    runs = re.search(r"number_of_executed_units: *(\d+)", said) or re.search(r"Done (\d+) runs", said)
    fresh = sorted(p.name for p in set(findings.iterdir()) - before)
    if status != 0 and fresh and all(starved(program, findings / one) for one in fresh):
        status, fresh = 0, []
    result = "clean" if status == 0 else ",".join(fresh) or f"status {status}"
    if result != "clean":
        (findings / "last.log").write_text(said[-20000:])
    return [started, commit(), name, f"{usage.ru_utime + usage.ru_stime:.1f}", runs.group(1) if runs else "0", result]


def summary(log):
    table = collections.defaultdict(lambda: [0.0, 0, 0])
    lines = [line.split("\t") for line in log.read_text().splitlines()] if log.exists() else []
    for _, _, name, cpu, runs, result in lines:
        row = table[name]
        row[0] += float(cpu)
        row[1] += int(runs)
        row[2] += result != "clean"
    out = ["| door | processor seconds | inputs run | slices with a finding |", "| --- | --- | --- | --- |"]
    out += [f"| `{name}` | {cpu:.0f} | {runs} | {bad} |" for name, (cpu, runs, bad) in sorted(table.items())]
    out.append(f"| all | {sum(r[0] for r in table.values()):.0f} | {sum(r[1] for r in table.values())} | {sum(r[2] for r in table.values())} |")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("door", nargs="?", default="all")
    parser.add_argument("--slice", type=int, default=60, help="wall seconds of one door's turn")
    parser.add_argument("--cpu", type=float, default=0, help="processor seconds of all doors together; 0: one round")
    parser.add_argument("--log", type=pathlib.Path, default=FOUND / "log.tsv")
    parser.add_argument("--summary", type=pathlib.Path)
    asked = parser.parse_args()
    chosen = {name: door for name, door in doors().items() if asked.door in ("all", name)}
    if not chosen:
        sys.exit(f"no door {asked.door} in {BUILD}")
    asked.log.parent.mkdir(parents=True, exist_ok=True)
    spent, found = 0.0, False
    while True:
        for name, (program, corpus) in chosen.items():
            row = one_slice(name, program, corpus, asked.slice)
            spent += float(row[3])
            found = found or row[5] != "clean"
            with asked.log.open("a") as log:
                log.write("\t".join(row) + "\n")
            print(*row[2:], flush=True)
        if spent >= asked.cpu:
            break
        time.sleep(0.1)
    print(summary(asked.log), end="")
    if asked.summary:
        asked.summary.write_text(summary(asked.log))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
