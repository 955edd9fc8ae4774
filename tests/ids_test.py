"""Why: "still there" rests on ids that do not move when a program is merely built again. One source on every ABI and optimisation
must keep its ids; the same program at another offset or in another partition must keep them all; at another path it is moved."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "lab"))
import build  # noqa: E402
import labkit  # noqa: E402

BIOPSY = os.environ["BIOPSY"]
LEAST = 95.0  # per cent
LEVELS = ("O0", "O2", "Os")
# Each program of the planted package whose code decides what is found.
PROGRAMS = {"update": [*build.COMMON, "update.c"], "monitor": [*build.MONITOR, "central_plain.c", "update_share.c"]}


def compiled(name, abi, level):
    prefix, machine = labkit.ABIS[abi]
    headers = build.texts(sorted(path.name for path in (labkit.SOURCE / "monitor").glob("*.h")))
    sources = build.texts(PROGRAMS[name]) + build.texts(["guard.c"], "guard")
    return labkit.compile_program(prefix + "gcc", [*machine, f"-{level}", "-g", "-w", "-std=gnu11", "-no-pie", "-fno-pie"], sources, headers)


def tree(programs, folder="opt/bin"):
    out = {"bin/sh": labkit.link("busybox"), "opt/etc/network.conf": labkit.regular("ETH0=on\n"), "tmp": labkit.directory(), "mnt": labkit.directory()}
    out.update({f"{folder}/{name}": labkit.regular(content, 0o755) for name, content in programs.items()})
    out["etc/init.d/rcS"] = labkit.regular(f"#!/bin/sh\n/{folder}/update\n/{folder}/monitor\n", 0o755)
    return labkit.with_parents(out)


def scan(place, name, image):
    path = place / name
    path.write_bytes(image)
    done = subprocess.run([BIOPSY, "scan", path, "--quiet", "--jobs", "2", "--output", place / (name + ".json")], capture_output=True, timeout=120)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{name}: {done.stderr.decode(errors='replace')}")
    return json.loads((place / (name + ".json")).read_text())


def ids(result):
    return {finding["id"] for finding in result["findings"]}


def verdicts(place, old, new):
    done = subprocess.run([BIOPSY, "compare", place / (old + ".json"), place / (new + ".json"), "--format", "json"], capture_output=True, timeout=60)
    return [change["verdict"] for change in json.loads(done.stdout)["steps"][0]["findings"]]


def over_builds(place):
    """(ids kept, ids in all, what was lost) against O2 of armel, over every ABI and level."""
    reference, kept, whole, lost = None, 0, 0, []
    for abi in labkit.ABIS:
        for level in ("O2", *(one for one in LEVELS if one != "O2")):
            result = scan(place, f"{abi}.{level}.tar", labkit.tar_bytes(tree({name: compiled(name, abi, level) for name in PROGRAMS})))
            found = ids(result)
            if reference is None:
                reference = found
                continue
            kept += len(found & reference)
            whole += len(found | reference)
            lost += [f"{abi} {level}: {'lost' if one in reference else 'other'} {one}" for one in sorted(found ^ reference)]
    return kept, whole, lost, len(reference)


def main():
    try:
        for prefix, _ in labkit.ABIS.values():
            labkit.version_of(prefix + "gcc")
    except OSError as missing:
        print(f"[  SKIPPED ] ids_test: needs the cross compilers: {missing}")
        return 77
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        kept, whole, lost, findings = over_builds(place)
        share = 100.0 * kept / whole
        print(f"{share:.1f} % of ids stable ({kept} of {whole}) over {len(labkit.ABIS)} ABIs and {', '.join(LEVELS)}, against armel O2 with {findings} findings")
        print("\n".join("  " + line for line in lost))
        if share < LEAST or findings < 3:
            failures.append("the ids of one source must be stable over its builds")

        built = {name: compiled(name, "armel", "O2") for name in PROGRAMS}
        first = scan(place, "one.bin", labkit.squashfs(tree(built), "gzip"))
        # Another offset and compression; then the programs in a partition of their own at the same path.
        shifted = scan(place, "shifted.bin", bytes(0x30000) + labkit.squashfs(tree(built), "xz"))
        if ids(first) != ids(shifted) or set(verdicts(place, "one.bin", "shifted.bin")) != {"still-there"}:
            failures.append(f"another offset: {sorted(ids(first) ^ ids(shifted))}")
        whole_tree = tree(built)
        root = {path: node for path, node in whole_tree.items() if not path.startswith("opt/")}
        rest = {path[4:]: node for path, node in whole_tree.items() if path.startswith("opt/")}
        root["etc/fstab"] = labkit.regular("/dev/mtdblock1 /opt jffs2 defaults 0 0\n")
        parted = scan(place, "parted.bin", labkit.padded(labkit.squashfs(labkit.with_parents(root), "gzip"), 0x100000) + labkit.jffs2(rest))
        if ids(first) - ids(parted) or "still-there" not in verdicts(place, "one.bin", "parted.bin") or {"moved", "fixed", "masked"} & set(verdicts(place, "one.bin", "parted.bin")):
            failures.append(f"another partition: {sorted(ids(first) ^ ids(parted))} {verdicts(place, 'one.bin', 'parted.bin')}")
        scan(place, "moved.bin", labkit.squashfs(tree(built, "usr/app"), "gzip"))
        moved = verdicts(place, "one.bin", "moved.bin")
        print(f"another offset and another partition: equal ids; another path: {', '.join(f'{moved.count(one)} {one}' for one in sorted(set(moved)))}")
        if moved.count("moved") < 3 or "fixed" in moved:
            failures.append(f"another path must be moved: {moved}")
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
