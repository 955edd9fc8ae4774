"""Why: docs/schema.json is a promise to other programs. Every golden case's result and those of the lab's packages must keep it,
with no key that it leaves out; and a result that is damaged must not pass."""
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
LAB = pathlib.Path(os.environ.get("BIOPSY_LAB", ROOT / "build" / "lab"))


def closed(schema):
    """The same schema with every object shut: the published one lets new keys in, our own results must not hold unwritten ones."""
    schema = copy.deepcopy(schema)
    keys = [*schema["properties"], *schema["$defs"]["device"]["properties"], "devices"]

    def shut(part):
        if isinstance(part, dict):
            if part.get("type") == "object" and "properties" in part:
                part.setdefault("additionalProperties", False)
            for inner in part.values():
                shut(inner)
        elif isinstance(part, list):
            for inner in part:
                shut(inner)
    device = schema["$defs"]["device"]
    shut(schema["$defs"])
    device["propertyNames"] = {"enum": keys}
    device["additionalProperties"] = True
    return schema


def files_of(case):
    """The files of a golden case; see tests/golden_test.cc for its form."""
    files, name, hexadecimal = {}, None, False
    for line in case.read_bytes().split(b"\n"):
        if line == b"===":
            break
        if line.startswith(b"--- "):
            name = line[4:].decode()
            hexadecimal = name.endswith(" hex")
            name = name[:-4] if hexadecimal else name
            files[name] = b""
        elif name:
            files[name] += bytes.fromhex(line.decode()) if hexadecimal else line + b"\n"
    return files


@unittest.skipUnless(jsonschema, "needs python3-jsonschema")
class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads((ROOT / "docs" / "schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(cls.schema)
        cls.open = jsonschema.Draft202012Validator(cls.schema)
        cls.closed = jsonschema.Draft202012Validator(closed(cls.schema))

    def scan(self, *inputs):
        result = subprocess.run([BIOPSY, "scan", *map(str, inputs), "--format", "json", "-q"], capture_output=True, timeout=120)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        return json.loads(result.stdout)

    def keeps(self, result):
        for validator in (self.open, self.closed):
            errors = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(result)]
            errors += [f"{inner.json_path}: {inner.message[:300]}" for error in validator.iter_errors(result) for inner in error.context or ()]
            self.assertEqual(errors, [])

    def golden(self, case):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder) / "device"
            for path, content in files_of(case).items():
                place = root / path.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
                place.chmod(0o755)
            return self.scan(root)

    def test_golden_cases(self):
        cases = sorted((ROOT / "tests" / "golden").glob("*.case"))
        self.assertGreaterEqual(len(cases), 3)
        for case in cases:
            with self.subTest(case.name):
                self.keeps(self.golden(case))

    def test_lab_packages(self):
        packages = sorted(LAB.glob("monitor-*.bin"))
        if not packages:
            self.skipTest("needs the lab's packages: cmake --build build/release --target lab")
        for package in packages:
            with self.subTest(package.name):
                self.keeps(self.scan(package))
        self.keeps(self.scan(*packages))  # several devices

    def test_unrecognised_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            noise = pathlib.Path(folder) / "noise"
            noise.write_bytes(bytes((i * 7919 >> 3) & 0xFF | 1 for i in range(5000)))
            self.keeps(self.scan(noise))

    def test_damage_does_not_pass(self):
        good = self.golden(ROOT / "tests" / "golden" / "hostile-text.case")
        self.assertTrue(self.closed.is_valid(good))

        def broken(change):
            result = copy.deepcopy(good)
            change(result)
            return result
        damages = {
            "no findings": lambda r: r.pop("findings"),
            "another schema": lambda r: r.update(schema=2),
            "an unknown severity": lambda r: r["findings"][0].update(severity="dire"),
            "a finding without an id": lambda r: r["findings"][0].pop("id"),
            "a port that is none": lambda r: r["findings"][0]["endpoints"][0].update(port=70000),
            "an unknown effect": lambda r: r["effects"][0].update(kind="wish"),
            "bytes as text": lambda r: r["coverage"]["bytes"].update(unknown="none"),
            "proof without words": lambda r: r["findings"][0]["evidence"].pop("says"),
        }
        for name, change in damages.items():
            with self.subTest(name):
                self.assertFalse(self.open.is_valid(broken(change)))
        extra = broken(lambda r: r["findings"][0].update(mood="grim"))
        self.assertTrue(self.open.is_valid(extra))
        self.assertFalse(self.closed.is_valid(extra))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
