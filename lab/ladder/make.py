"""Makes ladder specimens, each with its twin: small root file systems as tar archives, and truth.json beside them.

  make.py --seed N --rung L3 --abi mipsel --opt O2 --link dynamic --out DIR   one pair
  make.py --seed N --one-each --out DIR                                       one pair for each rung and ABI
  make.py --seed N --matrix --out DIR                                         every rung, ABI, optimisation and linking

A pair that is there already and was made from the same sources is left alone.
"""
import argparse
import concurrent.futures
import json
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import rungs  # noqa: E402
from draw import Draw  # noqa: E402
from rungs import labkit  # noqa: E402
from labkit import ABIS  # noqa: E402

OPTS = ["O0", "O2", "Os"]
LINKS = ["dynamic", "static"]
CHANGES = {
    "typed": "the peer's provenance: fixed in the planted half, typed by the operator in the twin",
    "setting": "the peer's provenance: shipped in a file of the image in the planted half, an empty setting in the twin",
    "verified": "verification: absent or without effect in the planted half; in the twin a failing signature or an older version is refused",
}


def compiled(draw, abi, opt, link, stripped, name, text):
    """One program, never executable on this host and never run when `_start` is its own."""
    prefix, machine = ABIS[abi]
    freestanding = name == "raw.c" and link == "static"
    guard_name, guard = rungs.guard_source(draw, freestanding)
    flags = [*machine, f"-{opt}", "-w"]
    if freestanding:
        flags += ["-ffreestanding", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-fno-builtin", "-Wl,-e,_start"]
        flags += ["-mno-abicalls", "-fno-pic", "-G0"] if abi.startswith("mips") else []
    elif link == "static":
        flags += ["-static", "-fno-pie", "-no-pie"]
    elif draw.stream("pie").random() < 0.5:
        flags += ["-fno-pie", "-no-pie"]
    compiler = prefix + ("g++" if name.endswith(".cc") else "gcc")
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        (folder / name).write_text(text)
        (folder / guard_name).write_text(guard)
        labkit.run([compiler, *flags, f"-ffile-prefix-map={place}=/build", "-o", "program", name, guard_name,
                    *(["-lgcc"] if freestanding else [])], cwd=place)
        if stripped:
            labkit.run([prefix + "strip", "program"], cwd=place)
        return (folder / "program").read_bytes(), freestanding


def made_from():
    """A hash of everything that decides the bytes, tools included."""
    files = sorted([*rungs.HERE.glob("*.py"), *rungs.HERE.glob("templates/*"), rungs.HERE / "update.pem", labkit.SOURCE / "labkit.py",
                    labkit.SOURCE / "signing.py", labkit.SOURCE / "guard" / "guard.c"])
    tools = [labkit.version_of(prefix + "gcc") for prefix, _ in ABIS.values()]
    return labkit.key_of([(path.name, path.read_bytes()) for path in files], tools)


def make(seed, rung, abi, opt, link, out, origin, sources=False):
    """Writes one pair; returns its name."""
    name = f"{rung}-{abi}-{opt}-{link}"
    truth_file = out / f"{name}.truth.json"
    if truth_file.exists():
        known = json.loads(truth_file.read_text())
        if (known["made_from"], known["seed"]) == (origin, seed):
            return name
    truth = {"made_from": origin, "seed": seed, "rung": rung, "abi": abi, "opt": opt, "link": link}
    for role in ("planted", "twin"):
        draw = Draw(seed, rung, abi, opt, link)
        pair = draw.stream("pair").choice(rungs.PAIRS.get(rung, ["typed", "verified"]))
        stripped = rung == "L5" or link == "static" or draw.stream("strip").random() < 0.5
        facts, source, text = rungs.build_source(draw, rung, abi, link, pair, role)
        program, never_run = (None, False) if source is None else compiled(draw, abi, opt, link, stripped, source, text)
        if sources and source is not None:
            labkit.write_output(out / f"{name}.{role}.{source}", text.encode())
        tree, path = rungs.image_tree(draw, pair, role, program, text if source is None else None)
        labkit.write_output(out / f"{name}.{role}.tar", labkit.tar_bytes(tree))
        if role == "planted":
            truth.update(
                program=path, stripped=source is not None and stripped, never_run=never_run,
                planted={
                    "effect": {"replace": "remote code replaces own programs", "execute": "remote content executed"}[facts["kind"]],
                    "cwe": [494, 829, 912], "severity_at_least": "critical", "trigger": "boot",
                    "address": draw.peer, "provenance": "shipped default" if pair == "setting" else "literal",
                    "share": draw.share, "remote": draw.remote, "mount": draw.mount, "staged": draw.stage,
                    "verification": facts["check"] if pair == "verified" else "absent",
                    **{key: value for key, value in facts.items() if key not in ("check", "storage")},
                },
                twin={"kind": pair, "changes": CHANGES[pair], "severity_below": "high"})
    truth["files"] = {role: f"{name}.{role}.tar" for role in ("planted", "twin")}
    labkit.write_output(truth_file, (json.dumps(truth, indent=2, sort_keys=True) + "\n").encode())
    return name


def wanted(options):
    """The pairs asked for, as (rung, abi, opt, link)."""
    if options.matrix:
        return [(rung, abi, opt, link) for rung in rungs.RUNGS for abi in ABIS for opt in OPTS for link in LINKS]
    if options.one_each:
        def drawn(rung, abi):
            rng = random.Random(f"{options.seed}/{rung}/{abi}")
            return rung, abi, rng.choice(OPTS), rng.choice(LINKS)
        return [drawn(rung, abi) for rung in rungs.RUNGS for abi in ABIS]
    return [(options.rung, options.abi, options.opt, options.link)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rung", choices=rungs.RUNGS, default="L1")
    parser.add_argument("--abi", choices=sorted(ABIS), default="armel")
    parser.add_argument("--opt", choices=OPTS, default="O2")
    parser.add_argument("--link", choices=LINKS, default="dynamic")
    parser.add_argument("--one-each", action="store_true")
    parser.add_argument("--matrix", action="store_true")
    parser.add_argument("--sources", action="store_true", help="write the C sources beside the archives too")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    origin = made_from()
    pairs = wanted(options)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done, name in enumerate(pool.map(lambda pair: make(options.seed, *pair, options.out, origin, options.sources), pairs), 1):
            if sys.stderr.isatty():
                print(f"\r{done}/{len(pairs)} {name}\033[K", end="", file=sys.stderr)
    print(f"{len(pairs)} pairs in {options.out}")


if __name__ == "__main__":
    main()
