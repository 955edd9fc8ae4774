"""Why: a ladder specimen that does not do what truth.json says, or a twin that differs in more than it says, would grade
the analyser wrongly. One pair for each rung and ABI is made, started where it must refuse, and those that run command
lines are run where every command is a recorder."""
import concurrent.futures
import io
import ipaddress
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

import inert
import labkit
import recorder

sys.path.insert(0, str(labkit.SOURCE / "ladder"))
import make  # noqa: E402
import rungs  # noqa: E402

SEED = 1
TYPED = "203.0.113.77\nlabel\n"
OUT = labkit.SOURCE.parent / "build" / "lab" / "ladder"


def tree_of(name, role):
    """The specimen's files, read back from its archive."""
    tree = {}
    with tarfile.open(fileobj=io.BytesIO((OUT / f"{name}.{role}.tar").read_bytes())) as archive:
        for entry in archive:
            if entry.isfile():
                tree[entry.name] = labkit.regular(archive.extractfile(entry).read(), entry.mode)
    return tree


def current(path, origin):
    truth = json.loads(path.read_text())
    return (truth["seed"], truth["made_from"]) == (SEED, origin)


def undefined_symbols(program):
    with tempfile.NamedTemporaryFile() as out:
        out.write(program)
        out.flush()
        words = labkit.run(["readelf", "--dyn-syms", "-W", out.name]).decode()
    return {line.split()[7].partition("@")[0] for line in words.splitlines() if " UND " in line and len(line.split()) > 7}


class Ladder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = subprocess.run([sys.executable, "-B", labkit.SOURCE / "ladder" / "make.py", "--seed", str(SEED), "--one-each", "--out", OUT],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        cls.truths = []
        origin = make.made_from()
        for rung in rungs.RUNGS:
            for abi in make.ABIS:
                files = [path for path in OUT.glob(f"{rung}-{abi}-*.truth.json") if current(path, origin)]
                assert files, f"no pair for {rung} {abi}"
                cls.truths += [(path.name.removesuffix(".truth.json"), json.loads(path.read_text())) for path in files]

    def test_every_peer_is_a_documentation_address(self):
        ranges = [ipaddress.ip_network("198.51.100.0/24"), ipaddress.ip_network("203.0.113.0/24")]
        for name, truth in self.truths:
            self.assertTrue(any(ipaddress.ip_address(truth["planted"]["address"]) in each for each in ranges), name)

    def test_every_specimen_refuses_outside_the_box(self):
        """Scripts that are the same in several images are started once."""
        seen = set()

        def start(job):
            name, truth, role = job
            tree = tree_of(name, role)
            wrong = []
            with inert.Place(tree) as place:
                for path, node in sorted(tree.items()):
                    script = node.content.startswith(b"#!")
                    if node.content in seen or not (script or node.content.startswith(b"\x7fELF") and not truth["never_run"]):
                        continue
                    seen.add(node.content)
                    status, words = place.start_script(path) if script else place.start_program(path, truth["abi"], recorder.sysroot(truth["abi"]))
                    if status != inert.REFUSED:
                        wrong.append(f"{name} {role} {path}: {status} {words!r}")
            return wrong

        jobs = [(name, truth, role) for name, truth in self.truths for role in ("planted", "twin")]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.assertEqual([line for wrong in pool.map(start, jobs) for line in wrong], [])
        self.assertGreater(len(seen), 200)
        print(f"{len(seen)} programs and scripts started, all refused")

    def test_the_guard_is_there_in_those_that_are_never_run(self):
        for name, truth in self.truths:
            if truth["never_run"]:
                for role in ("planted", "twin"):
                    self.assertIn(b"/run/closed-box\0", tree_of(name, role)[truth["program"][1:]].content, name)

    def test_a_twin_keeps_the_imports(self):
        for name, truth in self.truths:
            if truth["rung"] == "L0" or truth["link"] == "static":
                continue
            planted, twin = (undefined_symbols(tree_of(name, role)[truth["program"][1:]].content) for role in ("planted", "twin"))
            self.assertEqual(planted - twin, set(), name)

    def test_a_setting_twin_differs_in_the_setting_alone(self):
        for name, truth in self.truths:
            if truth["twin"]["kind"] == "setting" and truth["rung"] == "L7":
                planted, twin = tree_of(name, "planted"), tree_of(name, "twin")
                differing = {path for path in planted if planted[path] != twin[path]}
                self.assertEqual(len(differing), 1, name)
                self.assertTrue(differing.pop().endswith(".conf"), name)

    def test_what_runs_is_what_truth_says_and_a_verified_twin_refuses(self):
        def check(job):
            name, truth = job
            commands = truth["planted"]["commands"]
            words = [command.partition(" |")[0].partition(" >")[0] for command in commands]
            planted, twin = (recorder.record(tree_of(name, role), truth["program"][1:], truth["abi"], TYPED) for role in ("planted", "twin"))
            self.assertIn(words[0], planted, f"{name} planted")
            if len(words) > 1 and words[1].split()[0] in recorder.COMMANDS:
                self.assertIn(words[1], planted, f"{name} planted")
            if truth["twin"]["kind"] == "typed":
                self.assertNotIn(truth["planted"]["address"], "\n".join(twin), f"{name} twin")
                self.assertIn(words[0].replace(truth["planted"]["address"], "203.0.113.77"), twin, f"{name} twin")
            else:
                self.assertIn(words[0], twin, f"{name} twin")
                self.assertNotIn(words[1], twin, f"{name} twin installs what was not verified")

        # The emulator (7.2) does not start threads on i386: clone never returns there.
        jobs = [(name, truth) for name, truth in self.truths if truth["planted"]["commands"] and truth["twin"]["kind"] != "setting"
                and (truth["abi"], truth["planted"]["starter"]) != ("i386", "thread")]
        self.assertGreater(len(jobs), 40)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(check, jobs))
        print(f"{len(jobs)} pairs run, every command recorded")

    def test_the_same_seed_gives_the_same_bytes(self):
        origin = make.made_from()
        with tempfile.TemporaryDirectory() as place:
            for name, truth in self.truths:
                if truth["abi"] in ("mipsel", "amd64"):
                    make.make(SEED, truth["rung"], truth["abi"], truth["opt"], truth["link"], pathlib.Path(place), origin)
                    for role in ("planted", "twin"):
                        self.assertTrue((OUT / f"{name}.{role}.tar").read_bytes() == (pathlib.Path(place) / f"{name}.{role}.tar").read_bytes(), name)


if __name__ == "__main__":
    why = inert.unavailable()
    if why:
        print(f"[  SKIPPED ] lab_ladder_test: {why}")
        sys.exit(77)
    unittest.main()
