"""Why: a saved finding that is tried in the closed box becomes confirmed in the result that a reader gets, the clean twin's does
not gain one, and where no box can be made one sentence says so."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
except ImportError:
    jsonschema = None

BIOPSY = os.environ["BIOPSY"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
LAB = pathlib.Path(os.environ.get("BIOPSY_LAB", ROOT / "build" / "lab"))


def biopsy(*words):
    return subprocess.run([BIOPSY, *map(str, words)], capture_output=True, text=True, errors="replace", timeout=200)


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
        for program in ("/opt/bin/monitor", "/opt/bin/update"):
            found = [f for f in result["findings"] if f["rule"] == "remote-content-replaces-programs" and f["files"][0] == program]
            self.assertEqual([f["confidence"] for f in found], ["confirmed"], program)
            self.assertEqual(found[0]["wire"], "seen")
        self.assertIn("the canary that the box gave is the content of /opt/bin/monitor", "".join(words_of(f["evidence"]) for f in result["findings"]))

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
