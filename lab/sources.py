#!/usr/bin/env python3
"""Builds busybox, dropbear and lighttpd from Debian's source packages for the ladder's eight ABIs at O2 and Os, with their symbols.

sources.py --out DIR [--abi armel ...] [--opt O2 Os] [--program busybox ...]

What the engine finds in the stripped program is held to what the compiler knew (tests/engine_bench.py). Sources are fetched with apt into
DIR, a root of its own that takes this machine's sources; nothing is installed. A program that is there already is left alone. Writes
DIR/PROGRAM-ABI-OPT.elf, dynamically linked, unstripped.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

import benign
from labkit import ABIS

PROGRAMS = ["busybox", "dropbear", "lighttpd"]
OPTS = ["O2", "Os"]


def run(command, log, **more):
    with open(log, "ab") as out:
        return subprocess.run([str(word) for word in command], stdout=out, stderr=out, stdin=subprocess.DEVNULL, **more).returncode == 0


def fetch(folder, program):
    """The upstream archive of one source package."""
    found = list(folder.glob(f"{program}_*.orig.tar.*[!c]"))
    if not found:
        root = folder / "root"
        command = benign.apt(root, subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip())
        for file in [root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").glob("*")]:
            if file.suffix == ".sources":
                file.write_text(file.read_text().replace("Types: deb\n", "Types: deb deb-src\n"))
            elif file.exists():
                lines = file.read_text().splitlines()
                file.write_text("\n".join(lines + ["deb-src " + line[4:] for line in lines if line.startswith("deb ")]) + "\n")
        subprocess.run(command + ["update"], stdout=subprocess.DEVNULL)
        subprocess.run(command + ["source", "--download-only", program], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = list(folder.glob(f"{program}_*.orig.tar.*[!c]"))
    if not found:
        raise SystemExit(f"the source package {program} is not to be had from this machine's apt sources")
    return found[0]


def build_busybox(source, place, prefix, flags, jobs, log):
    """The default configuration without what needs other libraries' headers."""
    make = ["make", "-C", source, f"O={place}", f"CROSS_COMPILE={prefix}", f"-j{jobs}"]
    if not run([*make, "defconfig"], log):
        return None
    config = (place / ".config").read_text().replace('CONFIG_EXTRA_CFLAGS=""', f'CONFIG_EXTRA_CFLAGS="{" ".join(flags)}"')
    (place / ".config").write_text(config.replace("CONFIG_TC=y", "# CONFIG_TC is not set"))
    return place / "busybox_unstripped" if run([*make, "busybox_unstripped"], log) else None


def build_dropbear(source, place, prefix, flags, jobs, log):
    """Without zlib and crypt(), which Debian has no cross packages of."""
    shutil.copytree(source, place, dirs_exist_ok=True)
    (place / "localoptions.h").write_text("#define DROPBEAR_SVR_PASSWORD_AUTH 0\n#define DROPBEAR_CLI_PASSWORD_AUTH 1\n")
    configure = ["./configure", f"--host={prefix.rstrip('-')}", "--disable-zlib", "--disable-lastlog", "--disable-harden", f"CFLAGS={' '.join(flags)}"]
    made = run(configure, log, cwd=place) and run(["make", "-C", place, f"-j{jobs}", "PROGRAMS=dropbear"], log)
    return place / "dropbear" if made else None


def build_lighttpd(source, place, prefix, flags, jobs, log):
    configure = [source / "configure", f"--host={prefix.rstrip('-')}", "--without-pcre2", "--without-pcre", "--without-zlib", "--without-bzip2",
                 "--disable-shared", "--enable-static", f"CFLAGS={' '.join(flags)}"]
    (source / "src" / "versionstamp.h").write_text('#define REPO_VERSION ""\n')
    made = run(configure, log, cwd=place) and run(["make", "-C", place / "src", f"-j{jobs}", "lighttpd"], log)
    return place / "src" / "lighttpd" if made else None


BUILDERS = {"busybox": build_busybox, "dropbear": build_dropbear, "lighttpd": build_lighttpd}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--abi", nargs="*", default=list(ABIS), choices=list(ABIS))
    parser.add_argument("--opt", nargs="*", default=OPTS, choices=OPTS)
    parser.add_argument("--program", nargs="*", default=PROGRAMS, choices=PROGRAMS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    folder = given.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for program in given.program:
        source = folder / "source" / program
        if not source.exists():
            archive = fetch(folder, program)
            source.mkdir(parents=True)
            subprocess.run(["tar", "xf", archive, "-C", source, "--strip-components=1"], check=True)
        for abi in given.abi:
            prefix, machine = ABIS[abi]
            for opt in given.opt:
                target = folder / f"{program}-{abi}-{opt}.elf"
                if target.exists():
                    continue
                place = folder / "build" / target.stem
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir(parents=True)
                built = BUILDERS[program](source, place, prefix, [*machine, f"-{opt}", "-w"], given.jobs, folder / f"{target.stem}.log")
                if built:
                    shutil.copy(built, target)
                    shutil.rmtree(place)
                else:
                    failed += 1
                print(f"{target.name:28}{'built' if built else f'failed, see {target.stem}.log'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
