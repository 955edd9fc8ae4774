#!/usr/bin/env python3
"""Unpacking and scanning beside a peer, in one run on the same images; reading captures beside peers, in one run on the same
file. `bench.py [images] [captures]`; each part replaces its own in docs/benchmarks.md.

Figures: wall seconds, median of ROUNDS, warm page cache, no analysis cache. Without the shared firmware the lab's packages
alone are measured. `binwalk -e` is Debian's, with the helpers that Debian has; where it takes nothing out of an image, that is
said and bare decompression (unsquashfs of the same file system, where it opens it) is set beside it.
"""
import collections
import datetime
import hashlib
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("BIOPSY_SHARED", ROOT.parent / "shared")) / "firmware"
BIOPSY = ROOT / "build/release/biopsy"
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def seconds(command, before=lambda: None):
    """Medians of wall seconds and of processor seconds, the children's included."""
    walls, cpus = [], []
    for _ in range(ROUNDS):
        before()
        start, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.monotonic() - start)
        cpus.append(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)
    return statistics.median(walls), statistics.median(cpus)


def files_in(folder):
    return sum(1 for p in pathlib.Path(folder).rglob("*") if p.is_file() and not p.is_symlink()) if pathlib.Path(folder).exists() else 0


def contents_in(folder):
    """Contents of regular files by hash, empty ones left out: how often each occurs."""
    out = collections.Counter()
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size:
            with path.open("rb") as opened:
                out[hashlib.file_digest(opened, "sha256").digest()] += 1
    return out


def images():
    found = sorted((ROOT / "build/lab").glob("monitor-*.bin"))
    if SHARED.is_dir():
        found += sorted(SHARED.glob("images/*.bin")) + sorted(SHARED.glob("dumps/*/rootfs.*"))
    return found


def equal(folder, ours):
    """Of our files with contents, how many have their equal, byte for byte, among the peer's."""
    return f"{sum((contents_in(folder) & ours).values())} of {sum(ours.values())}"


def measure(image, work):
    out, peer = work / "ours", work / "peer"

    def clean():
        for folder in (out, peer):
            shutil.rmtree(folder, ignore_errors=True)

    def against(command):
        theirs, theirs_cpu = seconds(command, lambda: shutil.rmtree(peer, ignore_errors=True))
        row = [str(files_in(peer)), equal(peer, ours_by_hash), f"{theirs / ours:.1f} ({theirs_cpu / ours_cpu:.1f})"]
        shutil.rmtree(peer, ignore_errors=True)
        return row

    ours, ours_cpu = seconds([BIOPSY, "unpack", image, out], clean)
    ours_by_hash = contents_in(out / "root")
    scan, _ = seconds([BIOPSY, "scan", image, "--no-cache", "--quiet", "--output", work / "scan.json"])
    row = [image.name if image.parent.name in ("lab", "images") else f"{image.parent.name}/{image.name}", f"{image.stat().st_size / 1e6:.1f}",
           str(files_in(out / "root")), f"{ours:.2f} ({ours_cpu:.2f})", f"{scan:.2f}"]
    row += against(["binwalk", "-e", "-q", "--run-as=root", "-C", peer, image]) if shutil.which("binwalk") else ["not installed", "", ""]
    row += against(["unblob", "-e", peer, "-k", "-f", "--log", work / "unblob.log", image]) if shutil.which("unblob") else ["not installed", "", ""]
    clean()
    return row + [bare(image, work / "bare", ours, ours_cpu)]


def bare(image, target, ours, ours_cpu):
    """Our time over that of unsquashfs for the first squashfs in the image, where it opens it."""
    offset = image.read_bytes().find(b"hsqs")
    if offset < 0 or not shutil.which("unsquashfs"):
        return "–"
    command = ["unsquashfs", "-o", str(offset), "-d", target, "-n", "-q", image]
    done = subprocess.run(command, capture_output=True)
    if done.returncode not in (0, 2) or not files_in(target):
        return "–"
    theirs, theirs_cpu = seconds(command, lambda: shutil.rmtree(target, ignore_errors=True))
    shutil.rmtree(target, ignore_errors=True)
    return f"{ours / theirs:.1f} ({ours_cpu / theirs_cpu:.1f})"


def write(part, lines):
    """Puts `lines` in the place of one part of the page: the first, or that under the heading `part`."""
    page = ROOT / "docs/benchmarks.md"
    parts, name = {}, ""
    for line in page.read_text().splitlines() if page.exists() else []:
        if line.startswith("## "):
            name = line[3:]
        parts.setdefault(name, []).append(line)
    parts[part] = lines
    text = ["\n".join(parts[one]).rstrip("\n") for one in sorted(parts, key=bool)]
    page.write_text("\n\n".join(text) + "\n")


def machine():
    return f"{datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}, load at start {os.getloadavg()[0]:.1f}"


def captures():
    """Flow extraction and dissection beside a bare loop of libpcap, tshark and Suricata, on one file, in one run."""
    shared = SHARED.parent / "captures"
    if not shared.is_dir():
        return print("captures: skipped, needs shared captures")
    head = f"{machine()}; `./dev bench captures`, which is `witness_bench CAPTURES FILE 520 --peers`."
    done = subprocess.run([ROOT / "build/release/src/witness/witness_bench", shared, ROOT / "build/bench.pcap", "520", "--peers"], capture_output=True, text=True, check=True)
    print(done.stdout)
    write("Captures", ["## Captures", "", head, "",
                       "The file is made of the shared captures with rewritten addresses and the same packet sizes. Medians of five interleaved rounds, warm page",
                       "cache, one thread; processor time is the fair figure where other work shares the machine. tshark prints its one-line summaries; Suricata reads with",
                       "its own threads, the eight signatures that `witness_bench.cc` lists, no checksums, and writes its usual logs. The peers run once.", "",
                       "```", *done.stdout.splitlines(), "```"])


def main():
    if not BIOPSY.exists():
        sys.exit("build/release/biopsy is missing: ./dev build")
    wanted = sys.argv[1:] or ["images", "captures"]
    if "images" in wanted:
        measure_images()
    if "captures" in wanted:
        captures()


def measure_images():
    head = ["image", "MB", "files", "unpack s", "scan s", "binwalk -e: files", "ours equal there", "times our time", "unblob: files", "ours equal there",
            "times our time", "our time over unsquashfs's"]
    lines = ["# Benchmarks", "", f"{machine()}; `./dev bench images` (median of {ROUNDS}).", "",
             "Wall time; in brackets processor time, children included, which is the fairer figure where other work shares the machine. All write",
             "everything to the disk. `binwalk -e` is Debian's with Debian's helpers, and with jefferson where it is there for unblob; unblob is PyPI's with jefferson and ubi_reader from there and the",
             "helpers that Debian has (no sasquatch, so no squashfs). *ours equal there*: of our non-empty files, those whose bytes the peer has, too;",
             "0 means that it took no file system out, and its time is that of not doing so.", "",
             "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    with tempfile.TemporaryDirectory() as folder:
        for image in images():
            row = measure(image, pathlib.Path(folder))
            lines.append("| " + " | ".join(row) + " |")
            print(lines[-1], flush=True)
    write("", lines)


if __name__ == "__main__":
    main()
