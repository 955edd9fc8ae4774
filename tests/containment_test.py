"""Why: a rule that is accepted is not yet a rule that stops anything. The lab's traffic, sent by a generator of ours in a network
namespace, must be stopped by the rules that `contain` writes from a scan or a capture, and declared traffic must pass; a
detector that reads the same traffic from a file must name the finding."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import wire

BIOPSY = os.environ["BIOPSY"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
LAB = pathlib.Path(os.environ.get("BIOPSY_LAB", ROOT / "build" / "lab"))
DEVICE = "10.50.0.20"
SHARE, CENTRAL = "198.51.100.23", "198.51.100.24"  # the lab's fixed peers: its share and data port, its HL7 peer
DECLARED = ("203.0.113.50", 8443)
HL7 = wire.mllp(b"MSH|^~\\&|MON|BED1|CS|WARD|20260101120000||ADT^A01|1|P|2.3", b"PID|1||MRN-0042^^^HOSP||TESTPATIENT^ALICE||19700101|F")
# What the generator says: name, transport, peer, port, words.
LAB_TRAFFIC = [["share over tcp", "tcp", SHARE, 2049, wire.rpc_call(1, 100003, 3, 0).hex()],
               ["port mapper", "udp", SHARE, 111, wire.rpc_call(1, 100000, 2, 3).hex()],
               ["mount daemon", "udp", SHARE, 20048, wire.rpc_call(1, 100005, 3, 1).hex()],
               ["share over udp", "udp", SHARE, 2049, wire.rpc_call(1, 100003, 3, 0).hex()],
               ["patient data", "tcp", SHARE, 515, wire.cms_patient().hex()],
               ["hl7", "tcp", CENTRAL, 2575, HL7.hex()]]
PASSING = [["declared", "tcp", *DECLARED, b"hello".hex()], ["another port of the peer", "tcp", SHARE, 22, b"SSH-2.0-x\r\n".hex()],
           ["time", "udp", "203.0.113.60", 123, bytes(48).hex()]]

# Run inside a fresh network namespace: gives itself every peer's address, listens there, sends, and says what arrived.
INSIDE = r"""
import json, select, socket, subprocess, sys
rules, traffic = sys.argv[1], json.loads(sys.argv[2])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for address in {peer for _, _, peer, _, _ in traffic}:
    subprocess.run(["ip", "address", "add", address + "/32", "dev", "lo"], check=True)
if rules != "-":
    subprocess.run(["nft", "-f", rules], check=True)
arrived = []
for name, transport, peer, port, words in traffic:
    words = bytes.fromhex(words)
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as server, socket.socket(socket.AF_INET, kind) as client:
        server.bind((peer, port))
        client.settimeout(0.4)
        got = b""
        try:
            if transport == "tcp":
                server.listen(1)
                client.connect((peer, port))
                far, _ = server.accept()
                client.sendall(words)
                far.settimeout(0.4)
                got = far.recv(65536, socket.MSG_WAITALL) if len(words) > 60000 else far.recv(65536)
                far.close()
            else:
                server.settimeout(0.4)
                client.sendto(words, (peer, port))
                got = server.recv(65536)
        except (TimeoutError, PermissionError):
            pass
        if got == words:
            arrived.append(name)
print(json.dumps(arrived))
"""


def namespaces():
    return shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0


def capture_of_the_lab(place):
    packets = wire.nfs_mount(DEVICE, SHARE, b"/pm")
    packets += wire.Talk(DEVICE, SHARE, 2049, 41000).open().say(True, b"\x80\0\0\x28" + wire.rpc_call(9, 100003, 3, 0)).say(False, b"\x80\0\0\x18" + wire.rpc_reply(9)).close().packets
    packets += wire.Talk(DEVICE, SHARE, 515, 41001).open().say(True, wire.cms_patient()).close().packets
    packets += wire.Talk(DEVICE, CENTRAL, 2575, 41002).open().say(True, HL7).close().packets
    packets += wire.Talk(DEVICE, DECLARED[0], DECLARED[1], 41003).open().say(True, b"hello").close().packets
    path = place / "lab.pcap"
    path.write_bytes(wire.pcap(packets))
    return path


class Contained(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.place = pathlib.Path(self.folder.name)

    def rules(self, form, *words, kept=lambda finding: True, more=()):
        """`contain`'s rules from the result of `biopsy WORDS...`, of the findings that are kept; and that result."""
        done = subprocess.run([BIOPSY, *map(str, words), "--format", "json"], capture_output=True, timeout=240)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        result = json.loads(done.stdout)
        result["findings"] = [finding for finding in result["findings"] if kept(finding)]
        saved, path = self.place / "result.json", self.place / f"rules.{form}"
        saved.write_text(json.dumps(result))
        done = subprocess.run([BIOPSY, "contain", saved, "--as", form, "--from", "info", "-o", path, *more], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path, result

    def arrived(self, rules, traffic):
        done = subprocess.run(["unshare", "-rn", "python3", "-c", INSIDE, str(rules), json.dumps(traffic)], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Nftables(Contained):
    def setUp(self):
        super().setUp()
        for tool in ("nft", "ip"):
            if not shutil.which(tool):
                self.skipTest(f"needs {tool}")
        if not namespaces():
            self.skipTest("needs user and network namespaces")

    def stops(self, rules):
        everything = LAB_TRAFFIC + PASSING
        self.assertEqual(self.arrived("-", everything), [name for name, *_ in everything])
        self.assertEqual(self.arrived(rules, everything), [name for name, *_ in PASSING])

    def test_what_a_capture_showed_is_stopped_and_the_declared_passes(self):
        rules, _ = self.rules("nftables", "capture", capture_of_the_lab(self.place),
                              kept=lambda f: all((e.get("address"), e.get("port")) != DECLARED for e in f["endpoints"]))
        self.stops(rules)

    def test_what_was_read_in_the_labs_package_is_stopped_and_the_declared_passes(self):
        package = LAB / "monitor-2.0.6.bin"
        if not package.exists():
            self.skipTest("needs the lab's packages: cmake --build build/release --target lab")
        rules, result = self.rules("nftables", "scan", "-q", package)
        peers = {e.get("address") for f in result["findings"] for e in f["endpoints"]}
        self.assertEqual(peers, {SHARE, CENTRAL}, "the lab's peers have moved: this test's own must follow")
        self.stops(rules)

    def test_watching_lets_everything_pass(self):
        rules, _ = self.rules("nftables", "capture", capture_of_the_lab(self.place), more=["--watch"])
        self.assertEqual(self.arrived(rules, LAB_TRAFFIC), [name for name, *_ in LAB_TRAFFIC])


class Suricata(Contained):
    def test_it_alerts_on_the_labs_traffic_in_a_file_and_names_the_finding(self):
        if not shutil.which("suricata"):
            self.skipTest("needs suricata")
        capture = capture_of_the_lab(self.place)
        rules, result = self.rules("suricata", "capture", capture, more=["--watch"],
                                   kept=lambda f: all((e.get("address"), e.get("port")) != DECLARED for e in f["endpoints"]))
        subprocess.run(["suricata", "-r", capture, "-S", rules, "-l", self.place, "-k", "none", "--set", "vars.address-groups.HOME_NET=[10.0.0.0/8]"],
                       check=True, capture_output=True, timeout=180)
        alerts = [json.loads(line) for line in (self.place / "eve.json").read_text().splitlines()]
        alerts = [one for one in alerts if one["event_type"] == "alert"]
        self.assertEqual({(one["dest_ip"], one["dest_port"]) for one in alerts} & {(SHARE, 2049), (SHARE, 515), (CENTRAL, 2575)},
                         {(SHARE, 2049), (SHARE, 515), (CENTRAL, 2575)})
        self.assertNotIn(DECLARED, {(one["dest_ip"], one["dest_port"]) for one in alerts})
        said = json.dumps(alerts)
        patient = [f["id"] for f in result["findings"] if f["rule"] == "wire-patient-data-clear"]
        self.assertTrue(patient and all(one in said for one in patient))


if __name__ == "__main__":
    unittest.main()
