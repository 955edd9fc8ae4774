"""Why: the stories are published cases, each with a twin that differs in one property. What is found today must stay found, and
what must stay quiet must stay quiet; both lists of exceptions stand here by name, and an entry that no longer holds fails the test,
so that they can only shrink."""
import os
import pathlib
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(SOURCE / "lab"), str(SOURCE / "lab" / "stories")]
import labkit  # noqa: E402
import score  # noqa: E402
import stories  # noqa: E402

BIOPSY = os.environ.get("BIOPSY", str(SOURCE / "build/release/biopsy"))
# Not found yet, with what is missing.
MISSED = {}
# Loud although they should not be.
LOUD = {}


def skip_without_compilers():
    try:
        for abi in {stories.story_of(name).get("abi") for name in stories.names()} - {None}:
            labkit.version_of(stories.ABIS[abi][0] + "gcc")
    except (OSError, SystemExit) as missing:
        print(f"skipped: the stories need the cross compilers ({missing})")
        sys.exit(77)


class Stories(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.place.name)

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def judged(self, name):
        """{half: (passed, words)}"""
        stories.make(name, self.folder)
        truth = score.json.loads((self.folder / f"{name}.truth.json").read_text())
        return {half: (passed, words) for half, passed, words in score.judge(BIOPSY, self.folder, truth)}


def case(name):
    def test(self):
        for half, (passed, words) in self.judged(name).items():
            known = MISSED if half == "planted" else LOUD
            if name in known:
                self.assertFalse(passed, f"{name} {half} is right now: take it off the list")
            else:
                self.assertTrue(passed, f"{name} {half}: {words}")
    return test


for each in stories.names():
    setattr(Stories, "test_" + each.replace("-", "_"), case(each))

if __name__ == "__main__":
    skip_without_compilers()
    unittest.main()
