#!/usr/bin/env python3
"""Scans Debian's own builds of well-known daemons and says what is found at high or above: nothing should be.

benign.py --biopsy PROGRAM --out DIR [--arch armel ...]

Packages are fetched with apt into DIR, a root of its own that takes this machine's sources; nothing is installed. Prints a line a
package: architecture, name, version, sha256, seconds, findings at high or above, and what could not be read. Ends with 1 when
anything stands at high or above.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

PACKAGES = "busybox-static dropbear-bin lighttpd curl mosquitto openssh-server dnsmasq-base ntpsec cups-daemon".split()
ARCHITECTURES = "armel armhf mipsel arm64 i386 amd64".split()


def apt(root: pathlib.Path, arch: str) -> list:
    """apt-get with a root of its own for one architecture."""
    for folder in ("etc/apt", "var/lib/dpkg", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    for name in ("sources.list", "sources.list.d", "trusted.gpg", "trusted.gpg.d", "auth.conf.d", "apt.conf.d"):
        source, target = pathlib.Path("/etc/apt") / name, root / "etc/apt" / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy(source, target)
    options = {"Dir": root, "Dir::State::status": root / "var/lib/dpkg/status", "APT::Architecture": arch,
               "APT::Architectures": arch, "Debug::NoLocking": "1", "APT::Sandbox::User": "root"}
    return ["apt-get", "-qq"] + [part for key, value in options.items() for part in ("-o", f"{key}={value}")]


def fetch(folder: pathlib.Path, arch: str) -> list:
    """The packages of one architecture, as files; those that it does not have are left out."""
    command = apt(folder / f"root-{arch}", arch)
    subprocess.run(command + ["update"], stdout=subprocess.DEVNULL)  # a mirror in the middle of its own update is not the end
    packages = folder / arch
    packages.mkdir(exist_ok=True)
    for name in PACKAGES:
        if not list(packages.glob(f"{name}_*.deb")):
            subprocess.run(command + ["download", name], cwd=packages, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return sorted(packages.glob("*.deb"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--biopsy", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--arch", nargs="*", default=ARCHITECTURES)
    given = parser.parse_args()
    folder = given.out.resolve()
    loud = scanned = 0
    for arch in given.arch:
        folder.mkdir(parents=True, exist_ok=True)
        files = fetch(folder, arch)
        missing = [name for name in PACKAGES if not any(file.name.startswith(name + "_") for file in files)]
        for name in missing:
            print(f"{arch:8}{name:18}not to be had")
        for file in files:
            started = time.monotonic()
            run = subprocess.run([given.biopsy.resolve(), "scan", "--quiet", "--format", "json", file], capture_output=True, env=os.environ)
            seconds = time.monotonic() - started
            name, version = file.name.split("_")[:2]
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            scanned += 1
            if not run.stdout:
                print(f"{arch:8}{name:18}{version:28}{digest}  failed: {run.stderr.decode(errors='replace').strip()}")
                loud += 1
                continue
            result = json.loads(run.stdout)
            found = [f"{f['severity']} {f['rule']} {f['files'][0]}" for f in result["findings"] if f["severity"] in ("high", "critical")]
            loud += bool(found)
            unread = "; ".join(f"{gap['what']}: {gap['why']}" for gap in result["coverage"]["not_evaluated"])
            print(f"{arch:8}{name:18}{version:28}{digest}  {seconds:5.1f} s  {'; '.join(found) or 'quiet'}{'  [' + unread + ']' if unread else ''}", flush=True)
    print(f"{scanned} packages, {loud} with something at high or above")
    return 1 if loud or not scanned else 0


if __name__ == "__main__":
    sys.exit(main())
