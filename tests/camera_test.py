"""Why: a real device of several partitions, of which one side's dump lacks two, is where "fixed" is said too easily. What docs/compared.md
says of the two cameras, checked there by hand, must be what `compare` says, and its files what unsquashfs and a comparison of bytes say."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BIOPSY = os.environ["BIOPSY"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
DUMPS = pathlib.Path(os.environ.get("BIOPSY_SHARED", ROOT.parent / "shared")) / "firmware/dumps"
OLD, NEW = "ipcam-wyzecam_v2-4.9.1.60", "ipcam-wyzecam_v2-4.9.4.28"
MOUNTED = {"rootfs.bin": "", "driver.bin": "/driver"}
LACKING = ["flag.bin", "uboot.bin"]


def table_of_findings():
    """Rows of docs/compared.md: {(program, the title's words that are given): verdict}."""
    rows = re.findall(r"^\| `(/[^`]+)`: ([^|]+?) \((?:critical|high|medium|low|info)\) \| ([a-z ]+) \|", (ROOT / "docs/compared.md").read_text(), re.M)
    return {(program, words): verdict for program, words, verdict in rows}


def tree(image, place):
    subprocess.run(["unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-dest", place, image], capture_output=True, timeout=100)  # devices need root
    return {"/" + path.relative_to(place).as_posix(): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink()}


class Cameras(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (DUMPS / OLD).is_dir() or not (DUMPS / NEW).is_dir():
            raise unittest.SkipTest("needs shared firmware: dumps/" + OLD + " and dumps/" + NEW)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name)
        for name in (OLD, NEW):
            done = subprocess.run([BIOPSY, "scan", "--device", *sorted((DUMPS / name).glob("*.bin")), "-q", "--jobs", "2", "-o", cls.path / (name + ".json")],
                                  capture_output=True, timeout=300)
            if done.returncode not in (0, 1):
                raise AssertionError(done.stderr.decode(errors="replace"))

    def compare(self, old, new):
        done = subprocess.run([BIOPSY, "compare", self.path / (old + ".json"), self.path / (new + ".json"), "--format", "json"], capture_output=True, timeout=100)
        return json.loads(done.stdout)["steps"][0]

    def test_each_finding_as_checked_by_hand(self):
        table = table_of_findings()
        self.assertGreaterEqual(len(table), 8)
        step = self.compare(OLD, NEW)
        left = dict(table)
        for change in step["findings"]:
            rows = [row for row in left if row[0] == change["program"] and row[1].lower() in change["title"].lower()]
            self.assertEqual(len(rows), 1, change)
            self.assertEqual(left.pop(rows[0]).replace(" ", "-"), change["verdict"], change)
        self.assertEqual(left, {})

    def test_what_one_side_lacks_is_not_compared_either_way(self):
        for old, new in ((OLD, NEW), (NEW, OLD)):
            step = self.compare(old, new)
            self.assertEqual(step["lacking"], LACKING)
            self.assertLessEqual({change["verdict"] for change in step["findings"]}, {"still-there", "not-compared"})
            self.assertEqual({change["program"] for change in step["findings"] if change["verdict"] == "not-compared"}, {"/uboot.bin"})
            self.assertEqual(step["grades"], [])  # of updates; the only way lies in uboot.bin
            self.assertFalse([file for file in step["files"] if file["path"].lstrip("/") in LACKING])

    def test_components_and_what_holds_no_file(self):
        step = self.compare(OLD, NEW)
        rows = re.findall(r"^\| (`[^|]+`) \| (added|rebuilt|version) \|", (ROOT / "docs/compared.md").read_text(), re.M)
        table = {name.strip("` "): change for names, change in rows for name in names.split(",")}
        self.assertEqual({one["name"]: one["change"] for one in step["components"] if "/" not in one["name"]}, {name: change for name, change in table.items() if "/" not in name})
        self.assertEqual(step["opaque"], ["kernel.bin"])

    def test_files_as_unsquashfs_has_them(self):
        if not shutil.which("unsquashfs"):
            self.skipTest("needs unsquashfs")
        expected = {}
        for image, prefix in MOUNTED.items():
            old, new = tree(DUMPS / OLD / image, self.path / ("old-" + image)), tree(DUMPS / NEW / image, self.path / ("new-" + image))
            self.assertGreater(len(old), 5)
            for path in old.keys() | new.keys():
                if old.get(path) != new.get(path):
                    expected[prefix + path] = "removed" if path not in new else "added" if path not in old else "changed"
        self.assertEqual({file["path"]: file["change"] for file in self.compare(OLD, NEW)["files"]}, expected)
        self.assertEqual(len(expected), 7)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
