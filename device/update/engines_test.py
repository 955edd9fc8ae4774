"""Why: "better than the others" is a claim that has to be tried. Each attack here is made on each engine, with a package that the
engine itself would take if nothing were wrong, and the outcome is read from the slots, never from what the engine says.
The table in docs/update-attacks.md is what comes out; this test fails where the two differ.

    engines_test.py BUILD_DIR [--bless]

Exit 77 when a tool is missing: rauc, dbus-run-session, swupdate, openssl, cpio, faketime, loop mounts, the lab's packages.
"""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = SOURCE / "docs" / "update-attacks.md"
BUILD = pathlib.Path(sys.argv[1]).resolve()
LAB = pathlib.Path(os.environ.get("BIOPSY_LAB", SOURCE / "build" / "lab"))
SIZE = 30_000
INSTALLED, REFUSED, RECORDED, UNRECORDED = "installed", "refused", "recorded, and a change of the record shows", "no record"

ROWS = [
    ("nothing", "nothing is wrong"),
    ("bit", "one bit of the content is changed"),
    ("unsigned", "nobody signed it"),
    ("stranger", "somebody else signed it"),
    ("older", "an older release, well signed, is offered again"),
    ("hardware", "it is well signed, and for another device"),
    ("stale", "the answer of a month ago is replayed, so that the device never hears of what came since"),
    ("elsewhere", "it is well signed, and writes beside the slots"),
    ("stolen-one", "the key that signs packages is stolen"),
    ("stolen-all", "every key that is kept on a computer is stolen"),
    ("withdrawn", "the same, after the publisher withdrew those keys; nobody touched the device"),
    ("unasked", "nobody at the device agreed"),
    ("patient", "a patient is connected"),
    ("record", "a refused attempt is looked for in the engine's own record"),
]


def run(words, check=True, **more):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, errors="replace", timeout=120, **more)
    if check and done.returncode != 0:
        raise RuntimeError(f"{words}: {done.stderr}{done.stdout}")
    return done


def content(seed):
    out, block = b"", seed.encode()
    while len(out) < SIZE:
        block = hashlib.sha256(block).digest()
        out += block
    return out[:SIZE]


def flipped(path, where=None):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if where is None else where] ^= 1
    path.write_bytes(data)


def certificate(folder, name):
    run(["faketime", "-f", "-400d", "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{name}.pem", "-out", folder / f"{name}.crt",
         "-subj", f"/CN={name}", "-days", "3650", "-addext", "extendedKeyUsage=codeSigning,emailProtection"])


class Slots:
    """A device's two slots: A runs, B is written."""

    def __init__(self, home):
        self.home = pathlib.Path(tempfile.mkdtemp(dir=home))
        for name in "ab":
            (self.home / name).write_bytes(b"\xff" * 40_000)

    def written(self, image):
        return (self.home / "b").read_bytes()[:SIZE] == image


class Rauc:
    title = "RAUC 1.8"

    def __init__(self, home):
        self.home = home
        for name in ("maker", "stranger"):
            certificate(home, name)

    def bundle(self, image, signer="maker", version="2.0", compatible="bed-1", slot="rootfs", at=None):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.home))
        (folder / "in").mkdir()
        (folder / "in" / "image.img").write_bytes(image)
        (folder / "in" / "manifest.raucm").write_text(f"[update]\ncompatible={compatible}\nversion={version}\n\n[image.{slot}]\nfilename=image.img\n")
        before = ["faketime", "-f", at] if at else []
        run([*before, "rauc", "bundle", f"--cert={self.home}/{signer}.crt", f"--key={self.home}/{signer}.pem", folder / "in", folder / "out.raucb"])
        return folder / "out.raucb"

    def attempt(self, bundle, image):
        slots = Slots(self.home)
        home = slots.home
        (home / "mnt").mkdir()
        (home / "primary").write_text("A")
        (home / "boot").write_text(f'#!/bin/sh\ncd {home}\ncase "$1" in\nget-primary) cat primary;;\nset-primary) echo "$2" >primary;;\n'
                                   'get-state) cat "state.$2" 2>/dev/null || echo good;;\nset-state) echo "$3" >"state.$2";;\nesac\n')
        (home / "boot").chmod(0o755)
        (home / "system.conf").write_text(
            f"[system]\ncompatible=bed-1\nbootloader=custom\nmountprefix={home}/mnt\n[handlers]\nbootloader-custom-backend={home}/boot\n"
            f"[keyring]\npath={self.home}/maker.crt\n"
            f"[slot.rootfs.0]\ndevice={home}/a\ntype=raw\nbootname=A\n[slot.rootfs.1]\ndevice={home}/b\ntype=raw\nbootname=B\n")
        (home / "go").write_text(f"export DBUS_STARTER_BUS_TYPE=session\nrauc --conf={home}/system.conf service --override-boot-slot=A &\nservice=$!\n"
                                 "for i in 1 2 3 4 5 6 7 8 9; do rauc status >/dev/null 2>&1 && break; sleep 0.3; done\n"
                                 f"timeout 60 rauc install {bundle}\nkill $service\nwait $service\n")
        run(["dbus-run-session", "--", "sh", home / "go"], check=False, stdin=subprocess.DEVNULL)
        flipped_over = (home / "primary").read_text().strip() == "B"
        self.left = sorted(p.name for p in home.iterdir() if p.name not in ("a", "b", "boot", "go", "mnt", "primary", "system.conf") and not p.name.startswith("state."))
        return INSTALLED if flipped_over and slots.written(image) else REFUSED

    def row(self, key):
        image = content(key)
        if key == "bit":
            bundle = self.bundle(image)
            flipped(bundle, 2000)
            return self.attempt(bundle, image)
        if key == "unsigned":
            bundle = self.bundle(image)
            whole = bundle.read_bytes()
            bundle.write_bytes(whole[:-8 - int.from_bytes(whole[-8:], "big")])
            return self.attempt(bundle, image)
        if key == "record":
            self.attempt(self.bundle(image, signer="stranger"), image)
            return RECORDED if self.left else UNRECORDED
        more = {"stranger": {"signer": "stranger"}, "older": {"version": "1.0"}, "hardware": {"compatible": "bed-2"}, "stale": {"at": "-30d"},
                "elsewhere": {"slot": "elsewhere"}}.get(key, {})
        return self.attempt(self.bundle(image, **more), image)


class SwUpdate:
    title = "SWUpdate 2022.12 alone"

    def __init__(self, home):
        self.home = home
        for name in ("maker", "stranger"):
            certificate(home, name)

    def attempt(self, image, key, signer="maker", version="2.0", hardware="1.0", at=None):
        slots = Slots(self.home)
        home = slots.home
        where = home / ("elsewhere" if key == "elsewhere" else "b")
        (home / "elsewhere").write_bytes(b"\xff" * 40_000)
        (home / "image.img").write_bytes(image)
        part = {"images": [{"filename": "image.img", "device": str(where), "type": "raw", "sha256": hashlib.sha256(image).hexdigest()}]}
        (home / "sw-description").write_text(json.dumps({"software": {"version": version, "hardware-compatibility": [hardware], "stable": {"copy2": part}}}))
        before = ["faketime", "-f", at] if at else []
        run([*before, "openssl", "cms", "-sign", "-in", home / "sw-description", "-out", home / "sw-description.sig", "-signer", self.home / f"{signer}.crt",
             "-inkey", self.home / f"{signer}.pem", "-outform", "DER", "-nosmimecap", "-binary"])
        if key == "bit":
            flipped(home / "image.img")
        members = ["sw-description", "image.img"] if key == "unsigned" else ["sw-description", "sw-description.sig", "image.img"]
        run(["cpio", "--quiet", "-o", "-H", "crc", "-F", "package.swu"], cwd=home, input="\n".join(members) + "\n")
        there = {p.name for p in home.iterdir()}
        run(["timeout", "-s", "KILL", "20", "swupdate", "-k", self.home / "maker.crt", "--cert-purpose", "codeSigning", "-H", "bed-1:1.0", "-N", "1.5", "-e", "stable,copy2", "-M", "-i", home / "package.swu"],
            check=False, cwd=home, env={"PATH": os.environ["PATH"], "TMPDIR": str(home)}, stdin=subprocess.DEVNULL)
        self.left = {p.name for p in home.iterdir() if p.is_file()} - there
        return INSTALLED if where.read_bytes()[:SIZE] == image else REFUSED

    def row(self, key):
        image = content(key)
        if key == "record":
            self.attempt(image, key, signer="stranger")
            return RECORDED if self.left else UNRECORDED
        more = {"stranger": {"signer": "stranger"}, "older": {"version": "1.0"}, "hardware": {"hardware": "2.0"}, "stale": {"at": "-30d"}}.get(key, {})
        return self.attempt(image, key, **more)


class Case:
    """The published case's path, as the lab's first package has it: what lies on a share that anybody can answer for is copied
    over the programs. It is handed bytes that nobody signed, without a version or a device, so that one run answers every row but two."""

    title = "the published case's path"

    def __init__(self, home):
        self.by_keys = {}

    def runs(self, keys):
        if keys not in self.by_keys:
            done = run([BUILD / "biopsy", "run", "-q", LAB / "monitor-2.0.6.bin", "/opt/bin/monitor", "--keys", keys, "--seconds", "5", "-f", "json"], check=False)
            found = [f for f in json.loads(done.stdout)["findings"] if f["rule"] == "run-canary-in-program"]
            self.by_keys[keys] = INSTALLED if found else REFUSED
        return self.by_keys[keys]

    def row(self, key):
        if key == "record":
            done = run([BUILD / "biopsy", "scan", "-q", LAB / "monitor-2.0.6.bin", "-f", "json"], check=False)
            states = {p["state"] for path in json.loads(done.stdout)["update_paths"] for p in path["properties"] if p["key"] == "audit-record"}
            return UNRECORDED if states == {"absent"} else str(states)
        return self.runs("MA{patient}MU" if key == "patient" else "MU")


class Ours:
    title = "this one"

    def __init__(self, home):
        self.home = home

    def publish(self, place, *words, at=None):
        before = ["faketime", "-f", at] if at else []
        run([*before, BUILD / "bedside-publish", "--repository", place / "repository", "--keys", place / "keys", *words])

    def roots(self, place):
        return [word for name in "123" for word in ("--root-key", place / f"root{name}")]

    def site(self, place, image, number=2, hardware="bed-1", slot=None, at=None, made=False):
        place.mkdir(exist_ok=True)
        (place / "image").write_bytes(image)
        if not made:
            self.publish(place, "init", *self.roots(place), at=at)
        self.publish(place, "release", "--image", place / "image", "--hardware", hardware, "--version-text", f"{number}.0", "--notes", "quieter", "--release", number,
                     "--slot-a", self.device / "a", "--slot-b", slot or self.device / "b", at=at)

    def settings(self, repository, certificate):
        home = self.device
        (home / "settings.json").write_text(json.dumps({
            "hardware": "bed-1", "repository": f"file://{repository}", "target": "monitor.swu", "metadata_dir": str(home / "metadata"), "incoming_dir": str(home / "incoming"),
            "records": str(home / "records"), "slot_a": str(home / "a"), "slot_b": str(home / "b"), "log": str(home / "audit.log"),
            "report_key": str(certificate.parent / "timestamp.pem"), "certificate": str(certificate), "seconds": 60}))

    def update(self, *words):
        return run([BUILD / "bedside-update", "--settings", self.device / "settings.json", *words], check=False, stdin=subprocess.DEVNULL)

    def attempt(self, image, *more, offer=None):
        shown = self.update("check")
        if shown.returncode == 0:
            seen = next(line.split()[1] for line in shown.stdout.splitlines() if line.startswith("offer"))
            self.update("install", "--person", "nurse", "--offer", offer or seen, *more)
        started = self.update("start").stdout
        held = started.startswith("slot 0") and (self.device / "a").read_bytes()[:SIZE] == content("first")
        if started.startswith("slot 1") and self.slots.written(image):
            return INSTALLED
        return REFUSED if held else f"neither: {started}"

    def row(self, key):
        image = content(key)
        self.slots = Slots(self.home)
        self.device = self.slots.home
        for name in ("metadata", "incoming"):
            (self.device / name).mkdir()
        (self.device / "records").write_bytes(b"\xff" * 8192)
        (self.device / "first").write_bytes(content("first"))
        maker, thief = self.device / "maker", self.device / "thief"
        more = {"hardware": {"hardware": "bed-2"}, "stale": {"at": "-30d"}, "elsewhere": {"slot": self.device / "elsewhere"}, "older": {"number": 1}}.get(key, {})
        self.site(maker, image, **more)
        repository = maker / "repository"
        self.settings(repository, maker / "keys" / "package.crt")
        first = ["provision", "--image", self.device / "first", "--release", 2 if key == "older" else 1, "--root", repository / "metadata" / "1.root.json"]
        if self.update(*first).returncode != 0:
            raise RuntimeError("provision failed")
        target = next(repository.glob("targets/*.swu"))
        if key == "bit":
            flipped(target)
        elif key == "unsigned":
            bare = json.loads((repository / "metadata" / "timestamp.json").read_text())
            (repository / "metadata" / "timestamp.json").write_text(json.dumps({**bare, "signatures": []}))
        elif key in ("stranger", "record", "stolen-one"):
            self.site(thief, image)
            if key == "stolen-one":
                for name in ("package.crt", "package.pem"):
                    shutil.copy(maker / "keys" / name, thief / "keys" / name)
                self.site(thief, image, number=3, made=True)
                newest = max(thief.glob("repository/targets/*.swu"), key=lambda path: path.stat().st_mtime_ns)
                shutil.copy(newest, target)
            else:
                self.settings(thief / "repository", maker / "keys" / "package.crt")
            if key == "record":
                self.attempt(image)
                log = self.device / "audit.log"
                held = self.update("verify-log", log).returncode == 0 and '"event":"refused"' in log.read_text()
                flipped(log)
                return RECORDED if held and self.update("verify-log", log).returncode == 1 else UNRECORDED
        elif key in ("stolen-all", "withdrawn"):
            shutil.copytree(maker / "keys", thief / "keys")
            shutil.copytree(repository, thief / "repository")
            if key == "withdrawn":
                for role in ("targets", "snapshot", "timestamp"):
                    self.publish(maker, "rotate", role, "--root-key", maker / "root1", "--root-key", maker / "root2")
                if self.update("check").returncode != 0:
                    raise RuntimeError("the device does not follow the new keys")
            image = content("stolen")
            self.site(thief, image, number=3, made=True)
            self.settings(thief / "repository", maker / "keys" / "package.crt")
        elif key == "unasked":
            return self.attempt(image, offer="0" * 64)
        elif key == "patient":
            return self.attempt(image, "--patient-admitted")
        return self.attempt(image)


def missing():
    for tool in ("rauc", "dbus-run-session", "swupdate", "openssl", "cpio", "faketime", "mksquashfs"):
        if not shutil.which(tool):
            return tool
    if not (LAB / "monitor-2.0.6.bin").exists():
        return "the lab's packages (./dev build)"
    with tempfile.TemporaryDirectory() as home:
        (pathlib.Path(home) / "in").mkdir()
        run(["mksquashfs", f"{home}/in", f"{home}/image", "-quiet", "-no-progress"])
        if run(["mount", "-o", "loop,ro", f"{home}/image", f"{home}/in"], check=False).returncode != 0:
            return "loop mounts, for RAUC"
        run(["umount", f"{home}/in"])
    return None


def main():
    why = missing()
    if why:
        print(f"[  SKIPPED ] update_engines_test: needs {why}")
        return 77
    with tempfile.TemporaryDirectory() as home:
        engines = []
        for kind in (Rauc, SwUpdate, Case, Ours):
            place = pathlib.Path(home) / kind.__name__
            place.mkdir()
            engines.append(kind(place))
        lines = ["| what is wrong | " + " | ".join(e.title for e in engines) + " |", "| --- |" + " --- |" * len(engines)]
        for key, title in ROWS:
            lines.append(f"| {title} | " + " | ".join(e.row(key) for e in engines) + " |")
            print(lines[-1], flush=True)
    page = PAGE.read_text() if PAGE.exists() else ""
    stands = [line for line in page.splitlines() if line.startswith("| ")]
    if "--bless" in sys.argv:
        PAGE.write_text(page.replace("\n".join(stands), "\n".join(lines)) if stands else page + "\n".join(lines) + "\n")
        return 0
    if stands == lines:
        return 0
    print(f"{PAGE} says otherwise:\n" + "\n".join(line for line in stands if line not in lines))
    return 1


sys.exit(main())
