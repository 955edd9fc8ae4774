"""Measures what the engine reads against what compilers knew, and beside its peers; prints the tables of docs/engine.md.

engine_bench.py [--biopsy PROGRAM] starts FOLDER     function starts against the symbols that were there before stripping
engine_bench.py [--biopsy PROGRAM] facts FOLDER      literal facts of one source on several machines: Jaccard index, each pair
engine_bench.py [--biopsy PROGRAM] speed FOLDER      seconds and memory against instructions, beside angr where ANGR_PYTHON names its python

FOLDER is what lab/sources.py made: PROGRAM-ABI-OPT.elf, unstripped.

A true start is the address of a function symbol (STT_FUNC, defined) in an executable section other than the linker's stubs; several
symbols at one address count once, Thumb's mark is taken off. What the compiler split off (.part, .cold, .constprop) has such a symbol
and counts. An address with a function symbol of size 0 (the start-up files' assembler) is neither asked for nor held against us.

A literal fact is (callee, argument's position, text) in a reached function, where the text, of at least four characters, stands in the
program as it is; what a call puts together from several is none, and neither is what was copied to the stack or the heap before.
"""
import argparse
import collections
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "lab"))
from labkit import ABIS  # noqa: E402

STUBS = (".plt", ".plt.got", ".plt.sec", ".iplt", ".MIPS.stubs", ".init", ".fini")


def parts(file):
    program, abi, opt = file.stem.rsplit("-", 2)
    return program, abi, opt


def stripped(file, folder):
    out = pathlib.Path(folder) / file.name
    subprocess.run([ABIS[parts(file)[1]][0] + "strip", "-o", out, file], check=True)
    return out


def truth(file):
    """(wanted starts, starts that are no fault) from the symbol table."""
    stubs, code = [], []
    for line in subprocess.run(["readelf", "-SW", file], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line[line.find("]") + 1:].split()
        if "]" in line and len(words) > 7 and words[1] in ("PROGBITS", "NOBITS"):
            span = (int(words[2], 16), int(words[2], 16) + int(words[4], 16))
            if words[0] in STUBS:
                stubs.append(span)
            elif "X" in words[6]:
                code.append(span)
    inside = lambda address, spans: any(low <= address < high for low, high in spans)  # noqa: E731
    wanted, allowed = set(), set()
    for line in subprocess.run(["readelf", "-sW", file], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if len(words) < 8 or words[3] not in ("FUNC", "IFUNC", "GNU_IFUNC") or words[6] == "UND":
            continue
        address, size = int(words[1], 16), int(words[2], 0)
        if "arm" in file.stem and parts(file)[1] in ("armel", "armhf"):
            address &= ~1
        if inside(address, stubs):
            continue
        (wanted if size > 0 and inside(address, code) else allowed).add(address)
    return wanted, allowed, code


def starts(biopsy, folder):
    files = sorted(folder.glob("*.elf"))
    rows = collections.defaultdict(list)
    print("| program | ABI | build | functions | found | recall | precision |\n| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as place:
        for file in files:
            program, abi, opt = parts(file)
            wanted, allowed, code = truth(file)
            said = subprocess.run([biopsy, "dump", "functions", stripped(file, place)], capture_output=True, text=True, check=True).stdout
            found = {int(line.split("\t")[0], 16) for line in said.splitlines() if "\t" in line}
            found = {address for address in found if any(low <= address < high for low, high in code)} - allowed
            right = len(found & wanted)
            recall, precision = right / len(wanted), right / max(len(found), 1)
            rows[abi].append((recall, precision))
            print(f"| {program} | {abi} | {opt} | {len(wanted)} | {len(found)} | {recall:.3f} | {precision:.3f} |", flush=True)
            if os.environ.get("WRONG"):
                print("missed", " ".join(f"{a:x}" for a in sorted(wanted - found)[:40]))
                print("extra", " ".join(f"{a:x}" for a in sorted(found - wanted)[:40]))
    print("\n| ABI | least recall | least precision |\n| --- | --- | --- |")
    for abi, all_of in rows.items():
        print(f"| {abi} | {min(r for r, _ in all_of):.3f} | {min(p for _, p in all_of):.3f} |")
    return all(r >= .95 and p >= .95 for all_of in rows.values() for r, p in all_of)


def literal_facts(biopsy, file):
    said = subprocess.run([biopsy, "dump", "calls", file], capture_output=True, text=True, check=True).stdout
    words = set(file.read_bytes().split(b"\0"))
    whole = b"\0".join(words)
    out = set()
    for line in filter(None, said.split("\n")):
        call = json.loads(line)
        for position, argument in enumerate(call["args"]):
            if argument["kind"] == "text" and not argument.get("buffer", "").startswith(("stack", "heap")):
                out |= {(call["callee"], position, value) for value in argument["values"]
                    if len(value) >= 4 and value.encode() + b"\0" in whole + b"\0"}
    return out


def facts(biopsy, folder):
    by_source = collections.defaultdict(dict)
    least = 1.0
    with tempfile.TemporaryDirectory() as place:
        for file in sorted(folder.glob("*.elf")):
            program, abi, opt = parts(file)
            by_source[program, opt][abi] = literal_facts(biopsy, stripped(file, place))
    print("| source | facts, fewest to most | least Jaccard | between | median |\n| --- | --- | --- | --- | --- |")
    for (program, opt), of in sorted(by_source.items()):
        pairs = sorted((len(of[a] & of[b]) / max(len(of[a] | of[b]), 1), a, b) for a, b in itertools.combinations(of, 2))
        if not pairs:
            continue
        least = min(least, pairs[0][0])
        counts = sorted(len(one) for one in of.values())
        print(f"| {program} {opt} | {counts[0]} to {counts[-1]} | {pairs[0][0]:.3f} | {pairs[0][1]}, {pairs[0][2]} | {pairs[len(pairs) // 2][0]:.3f} |", flush=True)
        if os.environ.get("WRONG"):
            for abi, one in of.items():
                others = [other for name, other in of.items() if name != abi]
                print(abi, "lacks", sorted(set.intersection(*others) - one)[:12])
                print(abi, "alone has", sorted(one - set.union(*others))[:12])
    return least >= .93


ANGR = """
import sys, time, logging
logging.disable(logging.CRITICAL)
import angr
start = time.monotonic()
angr.Project(sys.argv[1], auto_load_libs=False).analyses.CFGFast(normalize=True)
print(time.monotonic() - start)
"""


def speed(biopsy, folder):
    """Seconds and memory of the whole process against instructions found: is the cost linear? Beside it angr's CFGFast, where the
    interpreter named by ANGR_PYTHON has angr: its own time, without imports, for control flow alone (no values)."""
    peer = os.environ.get("ANGR_PYTHON")
    print("| program | ABI | build | instructions | seconds, median of 3 | MB | ns an instruction | angr's CFGFast: times as long |\n" + "| --- " * 8 + "|")
    costs = []
    with tempfile.TemporaryDirectory() as place:
        for file in sorted(folder.glob("*.elf"), key=lambda f: f.stat().st_size):
            program, abi, opt = parts(file)
            plain = stripped(file, place)
            took, most, said = [], 0, ""
            for _ in range(3):
                start = time.monotonic()
                with subprocess.Popen([biopsy, "dump", "functions", plain], stdout=subprocess.PIPE, text=True) as child:
                    said = child.stdout.read()
                    _, _, used = os.wait4(child.pid, 0)
                    child.returncode = 0
                took.append(time.monotonic() - start)
                most = max(most, used.ru_maxrss)
            wall = statistics.median(took)
            instructions = sum(int(words[3] or 0) for words in (line.split("\t") for line in said.splitlines()) if len(words) > 3)
            costs.append(wall / instructions * 1e9)
            ratio = ""
            if peer:
                ran = subprocess.run([peer, "-c", ANGR, plain], capture_output=True, text=True)
                ratio = f"{float(ran.stdout.split()[-1]) / wall:.0f}" if ran.returncode == 0 else "it stopped"
            print(f"| {program} | {abi} | {opt} | {instructions} | {wall:.2f} | {most / 1024:.0f} | {costs[-1]:.0f} | {ratio} |", flush=True)
    print(f"\nns an instruction: {min(costs):.0f} to {max(costs):.0f}")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--biopsy", default=SOURCE / "build/release/biopsy", type=pathlib.Path)
    parser.add_argument("what", choices=["starts", "facts", "speed"])
    parser.add_argument("folder", type=pathlib.Path)
    given = parser.parse_args()
    return 0 if {"starts": starts, "facts": facts, "speed": speed}[given.what](given.biopsy.resolve(), given.folder) else 1


if __name__ == "__main__":
    sys.exit(main())
