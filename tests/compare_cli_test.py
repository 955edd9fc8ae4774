"""Why: `biopsy compare` answers "was it fixed?" and `biopsy explain` shows why; both from the command line, on small roots and the
lab's packages, where the answers are known: 2.0.8-pre masks what 2.0.6 has, the clean
twin does it by other means, and 2.0.9 lost the function."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BIOPSY = os.environ["BIOPSY"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
LAB = pathlib.Path(os.environ.get("BIOPSY_LAB", ROOT / "build" / "lab"))
NETWORK = '. /etc/network.conf\nif [ "$ETH0" = on ]; then ifconfig eth0 up; else ifconfig eth0 down; fi\n'
FETCH = "ifconfig eth0 up\nmount -t nfs 203.0.113.9:/pm /mnt\ncp -rf /mnt/* /opt/bin\n"


def run(*words):
    return subprocess.run([BIOPSY, *map(str, words)], capture_output=True, timeout=300)


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def device(self, name, eth0, update):
        root = self.path / name
        files = {"etc/init.d/S40network": NETWORK, "etc/init.d/S80update": update, "etc/network.conf": f"ETH0={eth0}\n", "opt/bin/vitals": "echo run\n"}
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(("" if path.endswith(".conf") else "#!/bin/sh\n") + text)
            (root / path).chmod(0o644 if path.endswith(".conf") else 0o755)
        return root

    def verdicts(self, *inputs):
        result = run("compare", *inputs, "--format", "json", "-q")
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return [[(change["verdict"], change["rule"]) for change in step["findings"]] for step in json.loads(result.stdout)["steps"]], result.returncode

    def test_masked_then_gone(self):
        old, masked, gone = self.device("old", "on", FETCH), self.device("masked", "off", FETCH), self.device("gone", "on", "echo nothing\n")
        (first, second), status = self.verdicts(old, masked, gone)
        self.assertIn(("masked", "remote-content-replaces-programs"), first)
        self.assertEqual([verdict for verdict, _ in first if verdict != "masked"], [])
        self.assertIn(("fixed", "remote-content-replaces-programs"), second)
        self.assertEqual(status, 1)
        self.assertEqual(self.verdicts(old, gone)[1], 0)
        self.assertIn(b"masked, not fixed", run("compare", old, masked, "-q").stdout)

    def test_saved_results_stand_for_images_and_bytes_repeat(self):
        old, gone = self.device("old", "on", FETCH), self.device("gone", "on", "echo nothing\n")
        for root in (old, gone):
            run("scan", root, "-q", "-o", self.path / (root.name + ".json"))
        live = run("compare", old, gone, "-q").stdout
        self.assertEqual(run("compare", self.path / "old.json", self.path / "gone.json").stdout, live)
        self.assertEqual(run("compare", old, self.path / "gone.json", "-q").stdout, live)

    def test_usage(self):
        old = self.device("old", "on", FETCH)
        self.assertEqual(run("compare", old).returncode, 2)
        self.assertEqual(run("compare", old, self.path / "missing").returncode, 3)
        self.assertEqual(run("compare", old, old, "--format", "sarif").returncode, 2)

    def test_a_finding_explained(self):
        old = self.device("old", "on", FETCH)
        saved = self.path / "old.json"
        run("scan", old, "-q", "-o", saved)
        finding = next(f for f in json.loads(saved.read_text())["findings"] if f["rule"] == "remote-content-replaces-programs")
        result = run("explain", finding["id"], saved)
        self.assertEqual(result.returncode, 0, result.stderr)
        text = result.stdout.decode()
        for words in ("/etc/init.d/S80update", "203.0.113.9", "mounts a remote share", "cp -rf /mnt/* /opt/bin", "feeds 3.2", "What would end it: no way left", "> critical", finding["misses"][:30]):
            self.assertIn(words, text)
        self.assertNotIn("lines of the file", text)
        closer = run("explain", finding["id"], saved, old)
        self.assertEqual(closer.returncode, 0, closer.stderr)
        self.assertIn("| >    4  cp -rf /mnt/* /opt/bin", closer.stdout.decode())
        self.assertEqual(closer.stdout, run("explain", finding["id"], saved, old).stdout)
        # Another image than the one that was read is not taken for it.
        other = run("explain", finding["id"], saved, self.device("other", "on", FETCH + "echo more\n"))
        self.assertIn(b"other bytes at this path", other.stdout)
        self.assertEqual(run("explain", finding["id"], saved, self.path / "missing.bin").returncode, 3)
        self.assertEqual(run("explain", "no-such-finding", saved).returncode, 2)
        self.assertEqual(run("explain", finding["id"], self.path / "missing.json").returncode, 3)

    def test_lines_that_may_hold_a_secret_are_not_shown(self):
        old = self.device("old", "on", "WIFI_PASSWORD=hunter2hunter2\n" + FETCH)
        saved = self.path / "old.json"
        run("scan", old, "-q", "-o", saved)
        for finding in json.loads(saved.read_text())["findings"]:
            self.assertNotIn(b"hunter2", run("explain", finding["id"], saved, old).stdout, finding["id"])

    def test_the_code_of_a_finding(self):
        image = LAB / "monitor-2.0.6.bin"
        if not image.exists():
            self.skipTest("needs the lab's packages: cmake --build build/release --target lab")
        saved = self.path / "monitor.json"
        run("scan", image, "-q", "-o", saved)
        finding = next(f for f in json.loads(saved.read_text())["findings"] if f["rule"] == "remote-content-replaces-programs" and f["files"][0] == "/opt/bin/monitor")
        text = run("explain", finding["id"], saved, image).stdout.decode()
        # lab/monitor/update_share.c: update_run() mounts, looks whether the file is there, and copies.
        self.assertIn("called by: main -> update_run", text)
        self.assertIn('the call: system("mount -o nolock -t nfs 198.51.100.23:/pm /mnt")', text)
        self.assertRegex(text, r'0x[0-9a-f]+  "cp -rf /mnt/monitor /opt/bin"')
        self.assertRegex(text, r"\| > 0x[0-9a-f]+  bl 0x[0-9a-f]+  ; system")
        self.assertRegex(text, r'access\("/mnt/monitor", 0\)')

    def test_the_labs_packages(self):
        packages = {name: LAB / f"monitor-{name}.bin" for name in ("2.0.6", "prerelease", "2.0.8-pre", "clean", "2.0.9")}
        if not all(package.exists() for package in packages.values()):
            self.skipTest("needs the lab's packages: cmake --build build/release --target lab")
        (pre, later, clean, gone), status = self.verdicts(*packages.values())
        rule = "remote-content-replaces-programs"
        self.assertEqual({verdict for verdict, of in pre if of == rule}, {"still-there"})
        self.assertEqual({verdict for verdict, of in later if of == rule}, {"masked"})
        self.assertNotIn("fixed", {verdict for verdict, _ in pre + later})
        # The clean twin replaces its programs as well, by other means and after checks of its own: another finding, told as new.
        self.assertEqual({verdict for verdict, of in clean if of == rule}, {"fixed", "new"})
        self.assertEqual({verdict for verdict, _ in clean} & {"still-there", "masked", "moved"}, set())
        # Where the function is gone it is fixed and nothing replaces it; what the package sends it still sends.
        self.assertEqual({verdict for verdict, of in gone if of == rule}, {"fixed"})
        # S40network raised the interface beside the update program and still does, so that nothing stands in its way.
        self.assertEqual({verdict for verdict, of in gone if of == "patient-data-in-clear"}, {"still-there"})
        self.assertEqual(status, 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
