"""Why: nine rungs on eight ABIs are the ways in which a fixed peer and its use can hide. One pair for each rung and ABI, at the seed
of lab_ladder_test: every planted one is found at high or above, no twin is. The whole matrix is `./dev corpus`."""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(SOURCE / "lab"), str(SOURCE / "lab" / "ladder")]
import labkit  # noqa: E402
import make  # noqa: E402
import score  # noqa: E402

BIOPSY = os.environ.get("BIOPSY", str(SOURCE / "build/release/biopsy"))
SEED = 1
OUT = SOURCE / "build" / "lab" / "ladder"


class Ladder(unittest.TestCase):
    def test_every_rung_is_found_on_every_abi_and_every_twin_is_quiet(self):
        subprocess.run([sys.executable, "-B", SOURCE / "lab/ladder/make.py", "--seed", str(SEED), "--one-each", "--out", OUT], check=True, capture_output=True)
        origin = make.made_from()
        truths = {path.name: json.loads(path.read_text()) for path in sorted(OUT.glob("*.truth.json"))}
        truths = {name: truth for name, truth in truths.items() if (truth["seed"], truth["made_from"]) == (SEED, origin)}
        self.assertEqual({(truth["rung"], truth["abi"]) for truth in truths.values()}, {(rung, abi) for rung in make.rungs.RUNGS for abi in make.ABIS})
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            judged = pool.map(lambda truth: score.judge(BIOPSY, OUT, truth), truths.values())
        wrong = [f"{name} {half}: {words}" for name, halves in zip(truths, judged) for half, passed, words in halves if not passed]
        print(f"{len(truths)} pairs, {len(wrong)} halves wrong")
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    try:
        for prefix, _ in make.ABIS.values():
            labkit.version_of(prefix + "g++")
    except (OSError, SystemExit) as missing:
        print(f"skipped: the ladder needs the cross compilers ({missing})")
        sys.exit(77)
    unittest.main()
