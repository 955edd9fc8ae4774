"""Why: a saved finding that is tried in the closed box becomes confirmed in the result that a reader gets, the clean twin's does
not gain one, and where no box can be made one sentence says so."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import jsonschema
except ImportError:
    jsonschema = None

BIOPSY = os.environ["BIOPSY"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXED = "198.51.100.23"
MONITOR = ["guard/guard.c", *(f"monitor/{name}.c" for name in ("screen", "settings", "monitor", "patient", "vitals", "central", "central_frames", "central_hl7", "central_plain",
                                                                 "update_share"))]
LAB = pathlib.Path(os.environ.get("BIOPSY_LAB", ROOT / "build" / "lab"))


def biopsy(*words):
    return subprocess.run([BIOPSY, *map(str, words)], capture_output=True, text=True, errors="replace", timeout=200)


def confirmed(image, folder, keys=()):
    """The image's result after its findings were tried in the box, as nobody: the box gives up root itself."""
    scan, joined = pathlib.Path(folder) / "scan.json", pathlib.Path(folder) / "joined.json"
    biopsy("scan", "-q", image, "-o", scan)
    begun = time.monotonic()
    done = biopsy("run", "-q", image, "--confirm", scan, *keys, "-o", joined)
    print(f"{image.name}: confirmed in {time.monotonic() - begun:.1f} s")
    if done.returncode != 1:
        raise AssertionError(done.stderr)
    return json.loads(joined.read_text())


def unavailable():
    if not (LAB / "monitor-2.0.6.bin").exists():
        return "needs the lab's packages (./dev build)"
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder) / "bin"
        place.mkdir()
        (place / "none").write_text("#!/bin/none\n")
        (place / "none").chmod(0o755)
        tried = biopsy("run", folder, "/bin/none", "--seconds", "1")
    return tried.stderr.strip() if "no closed box" in tried.stderr else None


def words_of(evidence):
    return evidence["says"] + "".join(words_of(part) for part in evidence.get("parts", []))


class Run(unittest.TestCase):
    def test_a_finding_of_the_planted_package_is_confirmed(self):
        with tempfile.TemporaryDirectory() as folder:
            scan, joined = pathlib.Path(folder) / "scan.json", pathlib.Path(folder) / "joined.json"
            biopsy("scan", "-q", LAB / "monitor-2.0.6.bin", "-o", scan)
            self.assertNotIn("confirmed", [f["confidence"] for f in json.loads(scan.read_text())["findings"]])
            done = biopsy("run", "-q", LAB / "monitor-2.0.6.bin", "--confirm", scan, "-o", joined)
            self.assertEqual(done.returncode, 1, done.stderr)
            result = json.loads(joined.read_text())
        if jsonschema:
            jsonschema.validate(result, json.loads((ROOT / "docs" / "schema.json").read_text()))
        self.check_confirmed(result)

    def check_confirmed(self, result):
        for program in ("/opt/bin/monitor", "/opt/bin/update"):
            found = [f for f in result["findings"] if f["rule"] == "remote-content-replaces-programs" and f["files"][0] == program]
            self.assertEqual([f["confidence"] for f in found], ["confirmed"], program)
            self.assertEqual(found[0]["wire"], "seen")
        sent = {(end["address"], end["port"]): f["confidence"] for f in result["findings"] if f["rule"] == "patient-data-in-clear" for end in f["endpoints"]}
        self.assertEqual(sent[FIXED, 515], "confirmed")
        self.assertIn("the canary that the box gave is the content of /opt/bin/monitor", "".join(words_of(f["evidence"]) for f in result["findings"]))

    def test_the_other_planted_packages_are_confirmed_too(self):
        for name in ("monitor-prerelease.bin", "monitor-2.0.8-pre.bin"):
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                self.check_confirmed(confirmed(LAB / name, folder))

    def check_machine(self, abi, compiler, needed):
        """The monitor's sources for another machine, beside stand-ins for the commands that it gives to a shell."""
        if not shutil.which(compiler):
            self.skipTest(f"needs {compiler}")
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder) / "root"
            for place in ("bin", "lib", "opt/bin", "opt/data"):
                (root / place).mkdir(parents=True)
            (root / "opt" / "data" / "none").touch()
            made = subprocess.run([compiler, "-O2", "-w", "-o", root / "opt/bin/monitor", *(ROOT / "lab" / name for name in MONITOR)])
            stands = subprocess.run([compiler, "-static", "-O1", "-w", "-o", root / "bin/sh", ROOT / "src/box/fence/applets.c"])
            self.assertEqual((made.returncode, stands.returncode), (0, 0))
            for name in ("mount", "umount", "cp", "ifconfig"):
                shutil.copy(root / "bin/sh", root / "bin" / name)
            for file in needed:
                place = root / ("lib64" if "x86-64" in file else "lib") / pathlib.Path(file).name
                place.parent.mkdir(exist_ok=True)
                shutil.copy(file, place)
            tried = [confirmed(root, folder, ["--keys", keys, "--seconds", "5"]) for keys in ("MU", "MA{patient}")]
        got = {(f["rule"], end["port"]): f["confidence"] for result in tried for f in result["findings"] if f["confidence"] == "confirmed"
               for end in f["endpoints"] if end.get("address") == FIXED}
        self.assertEqual(got.get(("remote-content-replaces-programs", 2049)), "confirmed", f"{abi}: {got}")
        self.assertEqual(got.get(("patient-data-in-clear", 515)), "confirmed", f"{abi}: {got}")

    def test_the_monitor_on_mipsel_is_confirmed(self):
        self.check_machine("mipsel", "mipsel-linux-gnu-gcc", ["/usr/mipsel-linux-gnu/lib/ld.so.1", "/usr/mipsel-linux-gnu/lib/libc.so.6"])

    def test_the_monitor_on_amd64_is_confirmed(self):
        self.check_machine("amd64", "x86_64-linux-gnu-gcc", ["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"])

    def test_the_clean_twin_gives_no_finding(self):
        done = biopsy("run", "-q", "--seconds", "3", LAB / "monitor-clean.bin", "/opt/bin/monitor", "--keys", "MA{patient}MUY", "-f", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["findings"], [])

    def test_where_namespaces_are_refused_one_sentence_says_so(self):
        words = ["unshare", "--user", "--map-root-user", "/bin/sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh", BIOPSY, "run",
                 str(LAB / "monitor-clean.bin"), "/opt/bin/monitor"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, r"\Abiopsy: no closed box can be made here: [^\n]+\n\Z")
        self.assertEqual(done.stdout, "")

    def test_a_program_that_is_not_there_gets_one_sentence(self):
        done = biopsy("run", LAB / "monitor-clean.bin", "/opt/bin/absent")
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr, r"\Abiopsy: [^\n]*/opt/bin/absent[^\n]*\n\Z")


if __name__ == "__main__":
    why = unavailable()
    if why:
        print(f"[  SKIPPED ] run_test: {why}")
        sys.exit(77)
    unittest.main()
