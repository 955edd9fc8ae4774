"""Why: a grade is worth something when a weaker update gets a worse one. Each build here lacks one thing that the clean package's
update does; its grading must differ from the clean one's in that line, and otherwise only in lines that say that they rest on it."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SOURCE / "lab"))
import labkit  # noqa: E402
import weakened  # noqa: E402

BIOPSY = os.environ.get("BIOPSY", str(SOURCE / "build/release/biopsy"))
BUILDS = [("armel", "O2"), ("armhf", "O2"), ("mipsel", "O2"), ("arm64", "O2"), ("i386", "O2"), ("amd64", "O2")]
PRESENT = ["authenticity", "integrity", "signed-version", "source-authenticated", "source-owner-configured", "protected-transport", "compatibility", "verified-at-boot",
           "unchanged-between-check-and-use", "consent", "audit-record", "audit-record-elsewhere", "survives-interruption", "bounded-target"]


def grading(tree):
    """({key: property}, [severity of what is said of the update])"""
    with tempfile.NamedTemporaryFile(suffix=".tar") as image:
        image.write(labkit.tar_bytes(tree))
        image.flush()
        done = subprocess.run([BIOPSY, "scan", image.name, "--format", "json", "--quiet"], capture_output=True, timeout=300)
    if done.returncode not in (0, 1):
        raise AssertionError(done.stderr.decode())
    result = json.loads(done.stdout)
    if len(result["update_paths"]) != 1:
        raise AssertionError(f"{len(result['update_paths'])} update paths")
    return {each["key"]: each for each in result["update_paths"][0]["properties"]}, [f["severity"] for f in result["findings"] if "/opt/bin/update" in f["files"]]


class Weakened(unittest.TestCase):
    gradings = {}

    def graded(self, name, abi, opt):
        if (name, abi, opt) not in self.gradings:
            self.gradings[name, abi, opt] = grading(weakened.tree_of(name, abi, opt))
        return self.gradings[name, abi, opt]

    def check(self, name, abi, opt):
        build = weakened.WEAKENINGS[name]
        clean, _ = self.graded("clean", abi, opt)
        grades, _ = self.graded(name, abi, opt)
        changed = {key: each["state"] for key, each in grades.items() if each["state"] != clean[key]["state"]}
        turned = {key: state for key, state in changed.items() if "follows" not in grades[key]}
        self.assertEqual(turned, build["expects"], changed)
        leaning = sorted(key for key in changed if "follows" in grades[key])
        self.assertEqual(leaning, sorted(build.get("leans", [])))
        for key in leaning:
            self.assertIn(grades[key]["follows"], build["expects"], key)


def clean_case(abi, opt):
    def test(self):
        grades, told = self.graded("clean", abi, opt)
        self.assertEqual({key: grades[key]["state"] for key in PRESENT}, {key: "present" for key in PRESENT})
        self.assertEqual(told, ["low"])
    return test


def case(name, abi, opt):
    return lambda self: self.check(name, abi, opt)


def main():
    for abi, opt in BUILDS:
        why = weakened.unavailable(abi)
        if why:
            print(f"[  SKIPPED ] weakened builds for {abi}: {why}")
            continue
        setattr(Weakened, f"test_clean_{abi}_{opt}", clean_case(abi, opt))
        for name in weakened.WEAKENINGS:
            if name != "clean":
                setattr(Weakened, f"test_{name.replace('-', '_')}_{abi}_{opt}", case(name, abi, opt))
    if not any(name.startswith("test_") for name in dir(Weakened)):
        return 77
    unittest.main()


if __name__ == "__main__":
    sys.exit(main())
