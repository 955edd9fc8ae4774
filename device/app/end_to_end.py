#!/usr/bin/env python3
"""Why: outside judges: python3-hl7 reads every message, a TLS peer checks the certificates, yanglint reads the MUD file, Chromium draws the page.

end_to_end.py BUILD_DIR. Exit 77 when nothing could be run; what is skipped is named."""
import json, os, re, shutil, socket, ssl, subprocess, sys, tempfile, threading, time, unittest, urllib.request

BUILD = sys.argv.pop(1)
BEDSIDE = os.path.join(BUILD, "bedside")
SHARED = os.environ.get("BIOPSY_SHARED", os.path.join(os.path.dirname(__file__), "../../../shared"))
try:
    import hl7
except ImportError:
    hl7 = None


def run(*args, **kwargs):
    return subprocess.run(args, check=True, capture_output=True, text=True, **kwargs).stdout


def make_certificates(folder):
    """Two authorities; station.pem and bed.pem of the first, stranger.pem of the second."""
    def openssl(*args):
        run("openssl", *args, cwd=folder)
    for ca in ("ca", "otherca"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", ca + ".key", "-out", ca + ".pem", "-subj", "/CN=" + ca, "-days", "2")
    for name, ca, san in (("station", "ca", "IP:127.0.0.1"), ("bed", "ca", "DNS:bed"), ("stranger", "otherca", "IP:127.0.0.1"), ("elsewhere", "ca", "IP:198.51.100.1")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        with open(os.path.join(folder, name + ".ext"), "w") as f:
            f.write("subjectAltName=" + san + "\n")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-out", name + ".pem", "-days", "2", "-extfile", name + ".ext")


class Station(threading.Thread):
    """A central station that demands a client certificate and acknowledges what it gets."""
    def __init__(self, folder, certificate):
        super().__init__(daemon=True)
        self.messages, self.refused, self.plain = [], 0, b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(folder, certificate + ".pem"), os.path.join(folder, certificate + ".key"))
        self.context.load_verify_locations(os.path.join(folder, "ca.pem"))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                raw, _ = self.listener.accept()
                raw.settimeout(10)
                with self.context.wrap_socket(raw, server_side=True) as peer:
                    self.peer = peer.getpeercert()
                    data = b""
                    while True:
                        got = peer.recv(4096)
                        if not got:
                            break
                        data += got
                        while b"\x1c\r" in data:
                            message, data = data.split(b"\x1c\r", 1)
                            assert message[:1] == b"\x0b"
                            text = message[1:].decode()
                            self.messages.append(text)
                            control = text.split("\r")[0].split("|")[9]
                            peer.sendall(("\x0bMSH|^~\\&|S|S|||20010101||ACK^R01^ACK|1|P|2.6\rMSA|AA|%s\r\x1c\r" % control).encode())
            except (ssl.SSLError, OSError):
                self.refused += 1


class EndToEnd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="bedside-e2e-")
        make_certificates(cls.folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def config(self, port=2575, host="127.0.0.1"):
        path = os.path.join(self.folder, "config-%s-%d.json" % (host, port))
        with open(path, "w") as f:
            json.dump({"bed": "BED 7", "central": {"host": host, "port": port, "interval": 1, "ca": "ca.pem", "certificate": "bed.pem", "key": "bed.key"}}, f)
        return path

    def update_settings(self):
        path = os.path.join(self.folder, "mud-updates.json")
        with open(path, "w") as f:
            json.dump(dict({k: "x" for k in ("hardware", "target", "metadata_dir", "incoming_dir", "records", "slot_a", "slot_b", "log", "report_key", "certificate")},
                           repository="https://updates.example.org/site"), f)
        return path

    def check_message(self, text):
        message = hl7.parse(text)
        self.assertEqual(str(message.segment("MSH")[9]), "ORU^R01^ORU_R01")
        self.assertEqual(str(message.segment("MSH")[12]), "2.6")
        codes = {str(s[3]).split("^")[1]: s for s in message.segments("OBX")}
        for s in message.segments("OBX"):
            if str(s[2]) == "NM":
                float(str(s[5]))
                self.assertTrue(str(s[3]).endswith("^MDC") and str(s[6]).endswith("^MDC"), str(s))
        return message, codes

    @unittest.skipUnless(hl7, "needs python3-hl7")
    def test_a_message_with_hostile_names_reads_back(self):
        message, codes = self.check_message(subprocess.run([BEDSIDE, "--sample-message", self.config()], check=True, capture_output=True).stdout.decode())
        self.assertEqual(float(str(codes["MDC_ECG_HEART_RATE"][5])), 72)
        self.assertEqual(float(str(codes["MDC_PRESS_BLD_NONINV_SYS"][5])), 118)
        self.assertEqual(message.unescape(str(message.segment("PID")[3][0][0])), "DEMO|0001")
        self.assertEqual(len(list(message.segments("OBX"))), 10)

    @unittest.skipUnless(hl7, "needs python3-hl7")
    def test_the_station_gets_messages_over_mutual_tls(self):
        station = Station(self.folder, "station")
        run(BEDSIDE, "--demo", "--no-terminal", "--no-page", "--seconds", "6", "--config", self.config(station.port))
        self.assertGreaterEqual(len(station.messages), 3)
        self.assertIn((("commonName", "bed"),), station.peer["subject"])
        for text in station.messages:
            self.check_message(text)

    def test_a_station_with_a_foreign_or_misnamed_certificate_gets_nothing(self):
        for certificate in ("stranger", "elsewhere"):
            station = Station(self.folder, certificate)
            run(BEDSIDE, "--demo", "--no-terminal", "--no-page", "--seconds", "4", "--config", self.config(station.port))
            self.assertEqual(station.messages, [], certificate)
            self.assertGreaterEqual(station.refused, 1, certificate)

    @unittest.skipUnless(hl7 and os.access("/usr/bin/swupdate", os.X_OK), "needs python3-hl7 and SWUpdate (Debian package swupdate)")
    def test_an_update_is_offered_refused_with_a_patient_accepted_without_and_told_to_the_station(self):
        home = os.path.join(self.folder, "update")
        os.makedirs(home + "/metadata"), os.makedirs(home + "/incoming")
        publish = [os.path.join(BUILD, "bedside-publish"), "--repository", home + "/repository", "--keys", home + "/keys"]
        run(*publish, "init", "--root-key", home + "/r1", "--root-key", home + "/r2", "--root-key", home + "/r3")
        for name, size in (("image1", 20000), ("image2", 30000)):
            with open(os.path.join(home, name), "wb") as f:
                f.write(os.urandom(size))
        for name, size in (("slot-a", 40000), ("slot-b", 40000), ("records", 8192)):
            with open(os.path.join(home, name), "wb") as f:
                f.truncate(size)
        run(*publish, "release", "--image", home + "/image2", "--hardware", "bed-1", "--version-text", "2.0 <b>", "--notes", "Alarms are quieter | at night", "--release", "2",
            "--slot-a", home + "/slot-a", "--slot-b", home + "/slot-b")
        settings = home + "/settings.json"
        with open(settings, "w") as f:
            json.dump({"hardware": "bed-1", "repository": "file://" + home + "/repository", "target": "monitor.swu", "metadata_dir": home + "/metadata", "incoming_dir": home + "/incoming",
                       "records": home + "/records", "slot_a": home + "/slot-a", "slot_b": home + "/slot-b", "log": home + "/audit.log", "report_key": home + "/keys/timestamp.pem",
                       "certificate": home + "/keys/package.crt", "seconds": 60}, f)
        update = [os.path.join(BUILD, "bedside-update"), "--settings", settings]
        run(*update, "provision", "--image", home + "/image1", "--release", "1", "--root", home + "/repository/metadata/1.root.json")
        self.assertEqual(run(*update, "start"), "slot 0 release 1\n")
        station = Station(self.folder, "station")
        monitor = subprocess.Popen([BEDSIDE, "--demo", "--no-terminal", "--port", "0", "--config", self.config(station.port), "--updates", settings, "--update-interval", "1"], stdout=subprocess.PIPE, text=True)
        try:
            url = re.search(r"http://\S+", monitor.stdout.readline()).group()

            def post(path, body=b""):
                try:
                    return urllib.request.urlopen(urllib.request.Request(url + path, data=body, headers={"X-Bedside": "1"}), timeout=10).status
                except urllib.error.HTTPError as error:
                    return error.code

            def until(what):
                for _ in range(100):
                    state = json.load(urllib.request.urlopen(url + "state?since=999999999", timeout=10)).get("update", {})
                    if what(state):
                        return state
                    time.sleep(0.2)
                self.fail("the screen says " + json.dumps(state))

            offer = until(lambda s: s.get("offered"))
            self.assertEqual((offer["version"], offer["notes"], offer["origin"]), ("2.0 <b>", "Alarms are quieter | at night", "file://" + home + "/repository"))
            yes = json.dumps({"install": True, "person": "Nurse Jo", "offer": offer["fingerprint"]}).encode()
            self.assertEqual(post("update", json.dumps({"install": True, "person": "", "offer": offer["fingerprint"]}).encode()), 404, "somebody has to answer")
            self.assertEqual(post("update", b"[1"), 404)
            self.assertEqual(post("update", yes), 204)
            self.assertIn("patient", until(lambda s: s.get("message", "").startswith("refused"))["message"])
            post("do/discharge")
            until(lambda s: s.get("offered") and not s["busy"])
            self.assertEqual(post("update", json.dumps({"install": True, "person": "Nurse Jo", "offer": "0" * 64}).encode()), 204)
            until(lambda s: s.get("message", "").startswith("refused") and "patient" not in s["message"])
            self.assertEqual(post("update", yes), 204)
            self.assertIn("installed and starts next", until(lambda s: "installed" in s.get("message", ""))["message"])
            time.sleep(3)
        finally:
            monitor.terminate()
            monitor.wait(timeout=20)
            monitor.stdout.close()
        with open(home + "/audit.log") as f:
            log = [line.rstrip("\n") for line in f]
        events = [json.loads(line)["event"] for line in log]
        self.assertEqual([e for e in events if e != "offered"], ["started", "refused", "refused", "accepted", "install-started", "installed", "refused"], "the last: what is on trial is not offered again, said once")
        sent = []
        for text in station.messages:
            message = hl7.parse(text)
            observations = [s for s in message.segments("OBX") if str(s[3]).startswith("SOFTWARE-AUDIT^")]
            sent += [message.unescape(str(s[5])) for s in observations]
        self.assertEqual(sent, log[-len(sent):], "the lines that the station has are the log's")
        self.assertEqual(len(sent), len(log) - 1, "all but the loader's own, which started before")
        self.assertIn("whole", run(*update, "report"))
        self.assertEqual(run(*update, "start"), "slot 1 release 2\n")
        self.assertEqual(run(*update, "verify-log", home + "/audit.log", "--seen", json.loads(sent[-1])["previous"]).split()[1], "entries")

    def test_mud_file_is_valid_yang_data(self):
        yang = os.path.join(SHARED, "schemas/yang")
        if not shutil.which("yanglint") or not os.path.isdir(yang):
            self.skipTest("needs yanglint and shared schemas: yang")
        for host in ("198.51.100.7", "2001:db8::7", "central.example.org"):
            mud = os.path.join(self.folder, "mud.json")
            with open(mud, "w") as f:
                f.write(run(BEDSIDE, "--mud", self.config(host=host), "--updates", self.update_settings()))
            models = [os.path.join(yang, f) for f in sorted(os.listdir(yang)) if re.match("ietf-(mud|acldns|access-control-list)@", f)]
            result = subprocess.run(["yanglint", "-p", yang] + models + [mud], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, host + ": " + result.stderr[-600:])
            with open(mud) as f:
                broken = f.read().replace('"mud-version": 1', '"mud-version": "one"')
            with open(mud, "w") as f:
                f.write(broken)
            self.assertNotEqual(subprocess.run(["yanglint", "-p", yang] + models + [mud], capture_output=True).returncode, 0, "the judge must be able to refuse")

    def test_the_page_in_chromium(self):
        if not shutil.which("chromium"):
            self.skipTest("needs chromium")
        monitor = subprocess.Popen([BEDSIDE, "--demo", "--no-terminal", "--port", "0", "--scenario", "asystole"], stdout=subprocess.PIPE, text=True)
        try:
            url = re.search(r"http://\S+", monitor.stdout.readline()).group()
            time.sleep(6)
            dom = run("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=6000", "--user-data-dir=" + self.folder + "/chromium", "--dump-dom", url, timeout=90)
        finally:
            monitor.terminate()
            monitor.wait(timeout=10)
            monitor.stdout.close()
        self.assertIn('data-ready="1"', dom, "the page's script ran and read the state")
        self.assertRegex(dom, r'class="alarm high[^>]*>!!! ASYSTOLE')
        for label in ("HR", "SpO2", "PULSE", "RESP", "NIBP", "TEMP"):
            self.assertIn('<div class="label">%s</div>' % label, dom)


if __name__ == "__main__":
    unittest.main(verbosity=2)
