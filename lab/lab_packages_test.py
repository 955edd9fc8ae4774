"""Why: the packages are what everything else is shown on. The clean twin's verification must really refuse, the planted
images must carry what they claim, and two builds from nothing must give the same bytes."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import build
import inert
import labkit
import manual_pdf
import signing

CLEAN = next(package for package in build.PACKAGES if package.clean)
CONTENT = {"bin/monitor": b"a new monitor", "bin/update": b"a new update"}
FACTS = dict(version="2.0.9", device="bedside-arm926", origin="the maker's release desk", notes="corrects alarm limits")


class CleanTwinVerifies(unittest.TestCase):
    """Runs the image's own verify-image, the code that the update path links, on staged packages."""

    def verify(self, package, key=None):
        built = build.programs(CLEAN)
        tree = build.root_tree(CLEAN, built)
        tree.update({f"stage/{path}": labkit.regular(content) for path, content in package.items()})
        tree["other.pub"] = labkit.regular(OTHER_KEY)
        with inert.Place(tree) as place:
            done = subprocess.run(["qemu-arm-static", "-L", place.root, place.root / "usr/bin/verify-image",
                                   place.root / "stage", place.root / (key or "etc/keys/update.pub")],
                                  capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_a_signed_package_is_accepted_and_shown(self):
        status, words = self.verify(signing.update_package(CONTENT, **FACTS))
        self.assertEqual(status, 0, words)
        for fact in FACTS.values():
            self.assertIn(fact, words)

    def test_a_changed_byte_of_content_is_refused(self):
        package = signing.update_package(CONTENT, **FACTS)
        package["bin/update"] = b"b new update"
        self.assertEqual(self.verify(package), (1, "refused: content does not match the signed manifest\n"))

    def test_changed_metadata_is_refused(self):
        package = signing.update_package(CONTENT, **FACTS)
        package["manifest"] = package["manifest"].replace(b"2.0.9", b"9.9.9")
        self.assertEqual(self.verify(package), (1, "refused: signature verification failed\n"))

    def test_a_missing_signature_is_refused(self):
        package = signing.update_package(CONTENT, **FACTS)
        del package["manifest.sig"]
        self.assertEqual(self.verify(package), (1, "refused: no signature\n"))

    def test_another_key_is_refused(self):
        package = signing.update_package(CONTENT, **FACTS)
        self.assertEqual(self.verify(package, "other.pub"), (1, "refused: signature verification failed\n"))

    def test_a_path_that_leaves_the_place_is_refused(self):
        package = signing.update_package({"../etc/passwd": b"x", **CONTENT}, **FACTS)
        package["etc/passwd"] = package.pop("../etc/passwd")
        self.assertEqual(self.verify(package), (1, "refused: manifest is malformed\n"))

    def test_the_programs_as_made_are_signed_and_a_changed_one_is_noticed_at_the_start(self):
        programs = {path.removeprefix("bin/"): node for path, node in build.opt_tree(CLEAN, build.programs(CLEAN)).items() if path.startswith("bin/") and path != "bin/bin"}
        as_made = {path: node.content for path, node in programs.items()}
        package = {**as_made, **{f"bin/{path}": content for path, content in as_made.items() if not path.startswith("manifest")}}
        self.assertEqual(self.verify(package)[0], 0)
        changed = bytearray(package["bin/monitor"])
        changed[-1] ^= 1
        self.assertEqual(self.verify({**package, "bin/monitor": bytes(changed)}), (1, "refused: content does not match the signed manifest\n"))


OTHER_KEY = subprocess.run(["openssl", "pkey", "-pubout"], capture_output=True, check=True, input=subprocess.run(
    ["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, check=True).stdout).stdout


class PlantedPackages(unittest.TestCase):
    def test_planted_programs_carry_the_mount_line_and_the_twin_only_its_form(self):
        line = b"mount -o nolock -t nfs 198.51.100.23:/pm /mnt\0"
        for package in build.PACKAGES:
            if not package.updates:
                continue
            for name in ("monitor", "update"):
                program = build.programs(package)[name]
                self.assertEqual(line in program, not package.clean, f"{package.file} {name}")
                self.assertEqual(b"mount -o nolock,sec=krb5p -t nfs %s:/pm /mnt\0" in program, package.clean)
                self.assertEqual(b"198.51.100." in program, not package.clean)

    def test_the_function_is_gone_from_the_package_that_lost_it(self):
        package = next(package for package in build.PACKAGES if not package.updates)
        built = build.programs(package)
        self.assertEqual(set(built), {"monitor"})
        for words in (b"/mnt", b"mount", b"nfs", b"cp -rf"):
            self.assertNotIn(words, built["monitor"])
        self.assertNotIn("bin/update", build.opt_tree(package, built))
        self.assertNotIn("etc/init.d/S80update", build.root_tree(package, built))
        self.assertIn(b"198.51.100.23", built["monitor"], "patient data still goes where it went")

    def test_the_prerelease_names_no_version(self):
        package = next(package for package in build.PACKAGES if package.version == "")
        built = build.programs(package)
        for node in [*build.root_tree(package, built).values(), *build.opt_tree(package, built).values()]:
            self.assertNotIn(b"VERSION=", node.content[:64])
            self.assertNotIn(b"2.0.", node.content if len(node.content) < 100000 else b"")

    def test_the_2_0_8_pre_image_starts_with_the_interface_off(self):
        package = next(package for package in build.PACKAGES if package.version == "2.0.8-pre")
        built = build.programs(package)
        self.assertIn(b"ETH0=off\n", build.opt_tree(package, built)["etc/network.conf"].content)
        self.assertIn(b"ifconfig eth0 up\0", built["monitor"])

    def test_every_part_lies_where_the_partition_table_says(self):
        for package in build.PACKAGES:
            image = build.image(package)
            kernel = build.ENVIRONMENT_SIZE
            root = kernel + build.KERNEL_SIZE
            self.assertEqual(image[kernel:kernel + 4], bytes.fromhex("27051956"))
            self.assertEqual(image[root:root + 4], b"E=\xcd\x28" if package.root == "cramfs" else b"hsqs")
            self.assertEqual(image[root + build.ROOT_SIZE:][:2], b"\x85\x19")


# Runs inside namespaces of its own with nothing but a loopback that owns the two addresses: takes what `monitor` sends.
LISTENER = """
import socket, subprocess, sys
for word in ("link set lo up", "addr add 198.51.100.23/32 dev lo", "addr add 198.51.100.24/32 dev lo"):
    subprocess.run(["ip", *word.split()], check=True)
servers = [socket.create_server((address, port)) for address, port in (("198.51.100.23", 515), ("198.51.100.24", 2575))]
monitor = subprocess.Popen(["qemu-arm-static", "-L", sys.argv[1], sys.argv[1] + "/opt/bin/monitor"],
                           stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
monitor.stdin.write(sys.argv[2].encode())
monitor.stdin.flush()
frames = b""
try:
    servers[0].settimeout(30)
    stream, _ = servers[0].accept()
    stream.settimeout(30)
    while len(frames) < 2048:
        frames += stream.recv(4096)
finally:
    monitor.kill()
sys.stdout.buffer.write(frames)
"""


class PlantedSenderOnTheWire(unittest.TestCase):
    def test_the_patient_record_lies_where_the_decoder_expects_it(self):
        if why := inert.unavailable():
            print(f"[  SKIPPED ] lab_packages_test: the planted sender on the wire: {why}")
            self.skipTest(why)
        package = build.PACKAGES[0]
        built = build.programs(package)
        tree = build.root_tree(package, built)
        tree.update({f"opt/{path}": node for path, node in build.opt_tree(package, built).items()})
        tree["run/closed-box"] = labkit.regular("")
        keys = "MAcardiology\n7\ncanary-name\ncanary-number\n20200101\n180\n75\n19700102\nA\ncanary-doctor\n"
        with inert.Place(tree) as place:
            box = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--"]
            done = subprocess.run([*inert.as_nobody(), *box, "/usr/bin/python3", "-c", LISTENER, place.root, keys],
                                  capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        frames = []
        rest = done.stdout
        while len(rest) >= 4 and len(rest) >= 2 + int.from_bytes(rest[:2], "little"):
            end = 2 + int.from_bytes(rest[:2], "little")
            frames.append(rest[:end])
            rest = rest[end:]
        self.assertEqual([frame[2] for frame in frames], [5] * len(frames))
        self.assertEqual([frame[3] for frame in frames[:4]], [0x3E, 0x45, 0x49, 0x46])
        record = frames[0][4:]
        self.assertEqual(record[:0x20].rstrip(b"\0"), b"cardiology")
        self.assertEqual(record[0x22], 7)
        self.assertEqual(record[0x23:0x43].rstrip(b"\0"), b"canary-name")
        self.assertEqual(record[0x43:0x63].rstrip(b"\0"), b"canary-number")
        self.assertEqual(record[0x63:0x6B], b"20200101")
        self.assertEqual(record[0x74:0x78], bytes([180, 0, 75, 0]))
        self.assertEqual(record[0x7C:0x84], b"19700102")
        self.assertEqual(record[0x8C:0x8D], b"A")
        self.assertEqual(record[0x8D:0xAD].rstrip(b"\0"), b"canary-doctor")


class Manual(unittest.TestCase):
    def test_the_pdf_says_what_the_text_says_on_the_same_pages(self):
        if shutil.which("pdftotext") is None:
            self.skipTest("needs pdftotext")
        text = (labkit.SOURCE / "manual.txt").read_text()
        self.assertIn("198.51.100.23", text)
        self.assertNotIn("update", text.lower())
        read = subprocess.run(["pdftotext", "-layout", "-", "-"], input=manual_pdf.pdf(text), capture_output=True, check=True).stdout.decode()
        pages = [page.split() for page in read.split("\f") if page.strip()]
        self.assertEqual(pages, [page.split() for page in text.split("\f")])


class Outputs(unittest.TestCase):
    def test_nothing_made_is_executable(self):
        with tempfile.TemporaryDirectory() as place:
            out = pathlib.Path(place)
            subprocess.run([labkit.SOURCE / "build.sh", out], check=True, capture_output=True)
            names = {path.name: path.stat().st_mode & 0o777 for path in out.iterdir()}
        self.assertEqual(set(names.values()), {0o644})
        self.assertLessEqual({package.file for package in build.PACKAGES}, set(names))


class Deterministic(unittest.TestCase):
    def test_a_build_from_nothing_gives_the_same_bytes(self):
        before = [build.image(package) for package in build.PACKAGES]
        kept = labkit.CACHE
        with tempfile.TemporaryDirectory() as place:
            fresh = pathlib.Path(place)
            for name in ("debs", "sysroot"):  # fetched, not built
                (fresh / name).symlink_to(kept / name)
            labkit.CACHE = fresh
            try:
                after = [build.image(package) for package in build.PACKAGES]
            finally:
                labkit.CACHE = kept
        for package, old, new in zip(build.PACKAGES, before, after):
            self.assertTrue(old == new, f"{package.file} differs")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
