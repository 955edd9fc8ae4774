"""Why: the published case turns on what was declared. The lab's packages must show the published findings with the triggers and limbs of
each program, a declaration must decide limbs and take nothing away, and the profile that is written must be one that readers of MUD take."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BIOPSY = os.environ["BIOPSY"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
LAB = ROOT / "build" / "lab"
SCHEMAS = pathlib.Path(os.environ.get("BIOPSY_SHARED", ROOT / ".." / "shared")) / "schemas" / "yang"
PLANTED = ("2.0.6", "prerelease", "2.0.8-pre")
CENTRAL = "198.51.100.23"


def run(*words):
    return subprocess.run([BIOPSY, *map(str, words)], capture_output=True, check=False)


def profile(address, port):
    match = {"ipv4": {"destination-ipv4-network": f"{address}/32", "protocol": 6}, "tcp": {"destination-port": {"operator": "eq", "port": port}}}
    entry = {"name": "central", "matches": match, "actions": {"forwarding": "accept"}}
    return json.dumps({"ietf-mud:mud": {"mud-version": 1}, "ietf-access-control-list:acls": {"acl": [{"name": "out", "aces": {"ace": [entry]}}]}})


@unittest.skipUnless(LAB.exists(), "needs the lab's packages: cmake --build build/release --target lab")
class Declared(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.place = pathlib.Path(self.folder.name)

    def scan(self, package, *declared):
        out = self.place / "result.json"
        words = [word for file in declared for word in ("--declared", file)]
        done = run("scan", "-q", LAB / f"monitor-{package}.bin", "-o", out, *words)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(out.read_text())

    def file(self, name, text):
        (self.place / name).write_text(text)
        return self.place / name

    def update(self, result, program):
        found = [f for f in result["findings"] if f["rule"] == "remote-content-replaces-programs" and f["files"][0] == program]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def limbs(self, finding):
        return {limb["limb"]: limb["state"] for limb in finding["hidden"]}

    def test_the_published_findings_of_the_three_packages(self):
        for package in PLANTED:
            with self.subTest(package):
                result = self.scan(package)
                for program, trigger, reach in (("/opt/bin/monitor", "menu", "not-evaluated"), ("/opt/bin/update", "key", "holds")):
                    finding = self.update(result, program)
                    self.assertEqual(finding["cwe"], [494, 829, 912])
                    self.assertEqual(finding["ours"], [494, 829], "912 is published, the others are ours")
                    self.assertEqual(finding["trigger"]["kind"], trigger)
                    self.assertEqual(self.limbs(finding), {"not-documented": "not-evaluated", "not-in-specification": "not-evaluated", "not-reachable-obviously": reach})
                    self.assertEqual(finding["severity"], "high")
                sent = [f for f in result["findings"] if 359 in f["cwe"] and f["endpoints"][0].get("port") == 515]
                self.assertEqual([(f["files"][0], f["endpoints"][0]["address"], f["ours"]) for f in sent], [("/opt/bin/monitor", CENTRAL, [319])])

    def test_the_clean_twin_is_quiet(self):
        self.assertEqual([f for f in self.scan("clean")["findings"] if f["severity"] in ("high", "critical")], [])

    def test_a_documented_address_is_no_documented_mechanism(self):
        for manual in (ROOT / "lab" / "manual.txt", LAB / "manual.pdf"):
            with self.subTest(manual.name):
                result = self.scan("2.0.6", manual)
                finding = self.update(result, "/opt/bin/update")
                self.assertEqual(self.limbs(finding), {"not-documented": "holds", "not-in-specification": "not-evaluated", "not-reachable-obviously": "holds"})
                quote = next(limb["quote"] for limb in finding["hidden"] if limb["limb"] == "not-documented")
                self.assertIn("the address is documented, what is done there is not", quote)
                self.assertIn(f'page 21: "7.2 The central station\'s computer uses the address {CENTRAL}."', quote)
                self.assertIn("listens on TCP port 515", json.dumps([f["evidence"] for f in result["findings"] if 359 in f["cwe"]]))

    def test_a_manual_that_says_what_is_done_is_believed_about_that_limb_alone(self):
        manual = self.file("manual.txt", f"3 Service\n\nPress U: the software update is taken from the server {CENTRAL}.\n\npage 9\n")
        finding = self.update(self.scan("2.0.6", manual), "/opt/bin/monitor")
        self.assertEqual(self.limbs(finding)["not-documented"], "does-not-hold")
        self.assertEqual(finding["cwe"], [494, 829], "every limb that was evaluated is shown not to hold")
        self.assertEqual(finding["severity"], "high", "a declaration excuses no property")
        other = self.update(self.scan("2.0.6", manual), "/opt/bin/update")
        self.assertEqual(other["cwe"], [494, 829, 912], "for `update` a limb still holds")

    def test_a_specification_of_another_port_is_none_of_this_traffic(self):
        for file in (self.file("mud.json", profile(CENTRAL, 515)), self.file("list.txt", f"# the maker's\n{CENTRAL}:515/tcp\n")):
            with self.subTest(file.name):
                finding = self.update(self.scan("2.0.6", file), "/opt/bin/update")
                self.assertEqual(self.limbs(finding), {"not-documented": "not-evaluated", "not-in-specification": "holds", "not-reachable-obviously": "holds"})
        listed = self.file("all.txt", CENTRAL + "\n")
        self.assertEqual(self.limbs(self.update(self.scan("2.0.6", listed), "/opt/bin/update"))["not-in-specification"], "does-not-hold")

    def test_nothing_is_taken_away(self):
        before = self.scan("2.0.6")
        after = self.scan("2.0.6", self.file("all.txt", CENTRAL + "\n198.51.100.24\n"), ROOT / "lab" / "manual.txt")
        said = lambda result: [(f["id"], f["severity"], f["confidence"]) for f in result["findings"]]
        self.assertEqual(said(before), said(after))

    def test_what_cannot_be_read_is_said(self):
        package = LAB / "monitor-clean.bin"
        for file in (self.place / "missing.txt", self.file("broken.json", "{"), self.file("broken.pdf", "%PDF-1.7\n")):
            done = run("scan", "-q", package, "-o", self.place / "result.json", "--declared", file)
            self.assertEqual(done.returncode, 3, file.name)
            self.assertIn(file.name.encode(), done.stderr)

    def mud(self, package):
        out = self.place / "result.json"
        run("scan", "-q", LAB / f"monitor-{package}.bin", "-o", out)
        done = run("contain", out, "--as", "mud")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def test_the_profile_allows_what_is_needed_and_nothing_else(self):
        clean = json.loads(self.mud("clean"))
        entries = [entry for acl in clean["ietf-access-control-list:acls"]["acl"] for entry in acl["aces"]["ace"]]
        self.assertEqual([entry["name"] for entry in entries], ["machines-named-by-the-owner"])
        planted = self.mud("2.0.6")
        self.assertIn(CENTRAL, planted)
        self.assertNotIn("accept", planted, "all that it reaches is what findings name")

    @unittest.skipUnless(shutil.which("yanglint") and SCHEMAS.exists(), "needs yanglint and the shared schemas: yang")
    def test_yanglint_accepts_the_profile(self):
        models = [SCHEMAS / f"{name}.yang" for name in ("ietf-mud@2019-01-28", "ietf-access-control-list@2019-03-04", "ietf-acldns@2019-01-28")]
        for package in ("2.0.6", "clean"):
            file = self.file("mud.json", self.mud(package))
            done = subprocess.run(["yanglint", "-p", SCHEMAS, "-F", "ietf-access-control-list:*", "-t", "config", *models, file], capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
