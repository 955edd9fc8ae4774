"""Why: a finding that is told twice, or that nobody has looked at, costs an owner's trust. One finding a (rule, acting program, peer),
on the lab's packages, on the stories and on the real images; and what is loud on the real images stands in the judged table."""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(SOURCE / "lab"), str(SOURCE / "lab" / "stories"), str(SOURCE / "docs" / "facts")]
import coverage  # noqa: E402

BIOPSY = os.environ.get("BIOPSY", str(SOURCE / "build/release/biopsy"))
LAB = SOURCE / "build" / "lab"
LEVELS = ["info", "low", "medium", "high", "critical"]
# Without a peer, what is named takes its place: two accounts, keys or settings of one file are two findings.
OWN_MATTER = {"account", "credential", "key-material", "setting"}


def scan(*words):
    run = subprocess.run([BIOPSY, "scan", "--format", "json", "--quiet", *map(str, words)], capture_output=True, timeout=300)
    return json.loads(run.stdout)


def twice(result):
    told = collections.Counter()
    for finding in result["findings"]:
        peer = json.dumps(finding["endpoints"][:1], sort_keys=True)
        kinds = {result["effects"][i]["kind"] for i in finding["effects"]}
        matter = finding["id"] if not finding["endpoints"] and kinds & OWN_MATTER else ""
        told[finding["rule"], finding["files"][0], peer, matter] += 1
    return [key for key, count in told.items() if count > 1]


class OneFinding(unittest.TestCase):
    def test_one_call_that_does_two_things_is_one_finding(self):
        with tempfile.TemporaryDirectory() as place:
            script = pathlib.Path(place) / "report.sh"
            script.write_text("#!/bin/sh\ncurl -k -d state=up https://203.0.113.9/report\ncurl -k -d state=up https://203.0.113.9/again\n")
            result = scan(script)
            self.assertEqual(twice(result), [])
            self.assertEqual([f["rule"] for f in result["findings"]].count("certificate-not-checked"), 1)
            self.assertTrue(next(f for f in result["findings"] if f["rule"] == "certificate-not-checked")["occurrences"])

    def test_the_labs_packages_and_the_clean_twin(self):
        packages = [LAB / f"monitor-{name}.bin" for name in ("2.0.6", "prerelease", "2.0.8-pre", "clean")]
        if not all(package.exists() for package in packages):
            self.skipTest("needs the lab's packages: cmake --build build/release --target lab")
        for package in packages:
            with self.subTest(package.name):
                self.assertEqual(twice(scan(package)), [])

    def test_the_stories_and_their_twins(self):
        import labkit
        import stories
        try:
            for abi in {stories.story_of(name).get("abi") for name in stories.names()} - {None}:
                labkit.version_of(stories.ABIS[abi][0] + "gcc")
        except (OSError, SystemExit) as missing:
            self.skipTest(f"the stories need the cross compilers ({missing})")
        with tempfile.TemporaryDirectory() as place:
            for name in stories.names():
                stories.make(name, pathlib.Path(place))
            for file in sorted(pathlib.Path(place).iterdir()):
                if file.name.endswith(".json"):
                    continue
                with self.subTest(file.name):
                    self.assertEqual(twice(scan(file)), [])


class RulesOfPrograms(unittest.TestCase):
    def test_each_is_found_in_its_story_and_less_in_the_twin(self):
        import labkit
        import stories
        for rule in sorted((SOURCE / "rules").glob("*.yaml")):
            listed = re.search(r"^stories: \[(.*)\]", rule.read_text(), re.MULTILINE)
            for name in listed[1].split(", ") if listed else []:
                try:
                    labkit.version_of(stories.ABIS[stories.story_of(name)["abi"]][0] + "gcc")
                except (OSError, SystemExit) as missing:
                    self.skipTest(f"the stories need the cross compilers ({missing})")
                with self.subTest(rule.stem, story=name), tempfile.TemporaryDirectory() as place:
                    stories.make(name, pathlib.Path(place))
                    told = {half: {f["rule"]: LEVELS.index(f["severity"]) for f in scan(pathlib.Path(place) / f"{name}.{half}.tar")["findings"][::-1]} for half in ("planted", "twin")}
                    self.assertIn(rule.stem, told["planted"])
                    self.assertLess(told["twin"].get(rule.stem, -1), told["planted"][rule.stem], "quiet, or less grave for what is checked")


@unittest.skipUnless(coverage.shared().is_dir(), "needs shared firmware: images, dumps")
class RealImages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        facts = json.loads((SOURCE / "docs/facts/real-images.json").read_text())
        cls.results = {pathlib.PurePath(device).name: coverage.scan(BIOPSY, device) for device in sorted({fact["image"] for fact in facts})}

    def test_nothing_is_told_twice(self):
        for device, result in self.results.items():
            with self.subTest(device):
                self.assertEqual(twice(result), [])

    def test_what_is_loud_is_judged_and_nine_in_ten_are_true(self):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in (SOURCE / "docs/facts/judged.md").read_text().splitlines() if re.match(r"\| [^-]", line)][1:]
        judged = {(row[0], row[1]) for row in rows if row[1] != "–"}
        loud = {(device, f["id"]) for device, result in self.results.items() for f in result["findings"] if f["severity"] in ("high", "critical")}
        self.assertEqual(loud, judged)
        verdicts = [row[3] for row in rows if row[1] != "–"]
        self.assertLessEqual(set(verdicts), {"true", "false"})
        self.assertGreaterEqual(verdicts.count("true") / len(verdicts), 0.9)
        print(f"loud on the real images: {len(verdicts)}, true: {verdicts.count('true')}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
