"""Why: figures rest on score.py. An analyser that names the peer, one that shouts at everything, one that says nothing and one
that fails must come out as what they are."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import labkit

PEER = "198.51.100.9"
LOUD = {"severity": "critical", "rule": "r", "files": ["/usr/bin/x"], "endpoints": [{"address": PEER}]}
ELSEWHERE = {**LOUD, "endpoints": [{"address": "203.0.113.9"}]}
QUIET = {**LOUD, "severity": "medium"}


class Score(unittest.TestCase):
    def score(self, planted, twin, status=0):
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            truth = {"rung": "L1", "abi": "mips", "planted": {"address": PEER, "severity_at_least": "critical"},
                     "files": {"planted": "x.planted.tar", "twin": "x.twin.tar"}}
            (folder / "x.truth.json").write_text(json.dumps(truth))
            for half, found in (("planted", planted), ("twin", twin)):
                (folder / f"x.{half}.tar").write_text(json.dumps({"findings": found}))
            fake = folder / "analyser"
            fake.write_text(f'#!/bin/sh\ncat "$2"\nexit {status}\n')
            fake.chmod(0o755)
            done = subprocess.run([sys.executable, "-B", labkit.SOURCE / "score.py", "--biopsy", fake, "--details", folder],
                                  capture_output=True, text=True)
        last = next(line for line in done.stdout.splitlines() if line.startswith("all")).split()
        return last[2], last[4], done.returncode

    def test_the_peer_named_and_the_twin_quiet(self):
        self.assertEqual(self.score([QUIET, LOUD], [QUIET]), ("1/1", "1/1", 0))

    def test_shouting_at_everything_is_not_quiet(self):
        self.assertEqual(self.score([LOUD], [LOUD]), ("1/1", "0/1", 1))

    def test_saying_nothing_or_too_little_finds_nothing(self):
        self.assertEqual(self.score([], []), ("0/1", "1/1", 1))
        self.assertEqual(self.score([QUIET], []), ("0/1", "1/1", 1))

    def test_another_peer_is_not_the_planted_one(self):
        self.assertEqual(self.score([ELSEWHERE], []), ("0/1", "1/1", 1))

    def test_a_failed_scan_is_neither_found_nor_quiet(self):
        self.assertEqual(self.score([LOUD], [], status=3), ("0/1", "0/1", 1))


if __name__ == "__main__":
    unittest.main()
