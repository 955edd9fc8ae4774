"""Why: a specimen is worth something only when it does what it stands for, and a twin that does nothing does not count. In
namespaces without a way out, with the marker, the packages' own `monitor` is driven through its menu and the ladder's socket
programs reach for their peer, which there is the loopback and gives a canary."""
import json
import subprocess
import sys
import unittest

import build
import inert
import labkit
import recorder
import signing
from lab_ladder_test import OUT, SEED, TYPED, tree_of

sys.path.insert(0, str(labkit.SOURCE / "ladder"))
import make  # noqa: E402

BOX = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child", "--"]

# /opt, /mnt and /run of its own; what `mount` would have brought lies on /mnt already; $1 is the root, $2 the keys.
MENU = r"""
set -e
for place in /run /mnt; do mount -t tmpfs none $place; done
mkdir -p /run/fake /run/opt
cp -r "$1/opt/." /run/opt
cp -r "$1/share/." /mnt
for name in ifconfig mount umount reboot; do
  printf '#!/bin/sh\necho "%s $*" >> /run/log\n' $name > /run/fake/$name
  chmod 755 /run/fake/$name
done
for name in cp rm; do ln -s /bin/$name /run/fake/$name; done
cp "$1/opt/bin/monitor" /run/program
chmod 755 /run/program
mount --bind /run/opt /opt
mkdir -p "$1/run"
: > "$1/run/closed-box"
rm -rf "$1/opt" "$1/mnt"
printf '%s' "$2" > /run/keys
PATH=/run/fake /usr/bin/timeout 30 /usr/bin/qemu-arm-static -L "$1" /run/program < /run/keys > /run/screen 2>&1 &
for try in $(seq 300); do
  grep -q '^Update f' /run/screen && break
  sleep 0.1
done
kill $! 2> /dev/null || true
for file in /run/log /run/screen /opt/log/audit.log /opt/etc/version /opt/bin/monitor; do
  echo "== $file"
  [ -f $file ] && head -c 2000 $file | tr -d '\000'
  echo
done
"""

CANARY = bytes(256) + (99).to_bytes(4, "big") + b"#!/bin/sh\nexit 1 # canary\n"

# $1 address, $2 port, then the command; prints what the peer was asked for.
PEER = r"""
import pathlib, socket, subprocess, sys
for place in ("/run", "/var", "/tmp"):
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
pathlib.Path("/run/closed-box").touch()
for place in ("/tmp/work", "/var/tmp", "/var/run", "/var/log"):
    pathlib.Path(place).mkdir()
program = pathlib.Path("/run/program")
program.write_bytes(bytes.fromhex(sys.stdin.readline()))
program.chmod(0o755)
canary = bytes.fromhex(sys.stdin.readline())
address, port, staged = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for word in ("link set lo up", f"addr add {address}/32 dev lo"):
    subprocess.run(["ip", *word.split()], check=True)
server = socket.create_server((address, port))
server.settimeout(20)
running = subprocess.Popen([*sys.argv[5:], "/run/program"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
running.stdin.write(sys.argv[4].encode())
running.stdin.close()
try:
    stream, _ = server.accept()
    stream.settimeout(20)
    print(stream.recv(200).decode().strip())
    stream.sendall(canary)
    stream.close()
    server.settimeout(1)
    try:
        server.accept()[0].close()  # a signature asked for apart
    except TimeoutError:
        pass
    running.wait(20)
    print(pathlib.Path(staged).exists() and canary.startswith(pathlib.Path(staged).read_bytes()[:64]))
finally:
    running.kill()
"""


def parts(words):
    found = {}
    for line in words.splitlines():
        if line.startswith("== "):
            name = line[3:]
            found[name] = ""
        else:
            found[name] += line + "\n"
    return found


class MenuUpdate(unittest.TestCase):
    def drive(self, package, share, keys, server=""):
        built = build.programs(package)
        tree = build.root_tree(package, built)
        opt = build.opt_tree(package, built)
        if server:
            opt["etc/update.conf"] = labkit.regular(f"SERVER={server}\n")
        tree.update({f"opt/{path}": node for path, node in opt.items()})
        tree.update({f"share/{path}": labkit.regular(content) for path, content in share.items()})
        with inert.Place(tree) as place:
            done = subprocess.run([*inert.as_nobody(), *BOX, "/bin/sh", "-c", MENU, "sh", place.root, keys],
                                  capture_output=True, text=True, errors="replace", timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return parts(done.stdout)

    @property
    def clean(self):
        return next(package for package in build.PACKAGES if package.clean)

    def offer(self, **changes):
        facts = dict(version="2.0.9", device="bedside-arm926", origin="the maker", notes="corrects alarm limits")
        content = {"bin/monitor": b"a new monitor\n", "bin/update": b"a new update\n"}
        return {f"monitor/{path}": data for path, data in signing.update_package(content, **{**facts, **changes}).items()}

    def test_planted_monitors_mount_and_copy(self):
        for package in build.PACKAGES:
            if not package.clean and package.updates:
                found = self.drive(package, {"monitor": b"a canary\n"}, "MU")
                self.assertIn("ifconfig eth0 up\nmount -o nolock -t nfs 198.51.100.23:/pm /mnt\numount /mnt\n", found["/run/log"], package.file)
                self.assertEqual(found["/opt/bin/monitor"].strip(), "a canary", package.file)

    def test_the_twin_does_nothing_while_no_server_is_set(self):
        found = self.drive(self.clean, self.offer(), "MUY")
        self.assertEqual(found["/run/log"].strip(), "")
        self.assertIn("update refused: no server is set", found["/opt/log/audit.log"])

    def test_the_twin_installs_what_is_signed_newer_and_agreed_to(self):
        found = self.drive(self.clean, self.offer(), "MUY", "203.0.113.5")
        self.assertIn("mount -o nolock,sec=krb5p -t nfs 203.0.113.5:/pm /mnt", found["/run/log"])
        for shown in ("offered by the maker", "Installed version 2.0.8, offered version 2.0.9", "Notes: corrects alarm limits"):
            self.assertIn(shown, found["/run/screen"])
        self.assertIn("update accepted: version 2.0.9", found["/opt/log/audit.log"])
        self.assertEqual(found["/opt/bin/monitor"].strip(), "a new monitor")
        self.assertIn("VERSION=2.0.9", found["/opt/etc/version"])

    def refused(self, why, share, keys="MUY"):
        found = self.drive(self.clean, share, keys, "203.0.113.5")
        self.assertIn(f"update refused: {why}", found["/opt/log/audit.log"])
        self.assertIn("ELF", found["/opt/bin/monitor"][:8])
        self.assertIn("VERSION=2.0.8", found["/opt/etc/version"])

    def test_the_twin_refuses_a_changed_program(self):
        self.refused("content does not match", {**self.offer(), "monitor/bin/monitor": b"b new monitor\n"})

    def test_the_twin_refuses_a_bare_share(self):
        self.refused("nothing could be fetched", {"other": b"x"})

    def test_the_twin_refuses_what_is_not_signed(self):
        offer = self.offer()
        del offer["monitor/manifest.sig"]
        self.refused("no signature", offer)

    def test_the_twin_refuses_a_rollback(self):
        self.refused("not newer", self.offer(version="2.0.8"))

    def test_the_twin_refuses_another_device(self):
        self.refused("made for another device", self.offer(device="bedside-x"))

    def test_the_twin_refuses_when_the_operator_declines(self):
        self.refused("the operator declined", self.offer(), "MUN")


class SocketsReachTheirPeer(unittest.TestCase):
    def reach(self, name, truth, address):
        program = tree_of(name, "planted")[truth["program"][1:]].content
        planted = truth["planted"]
        qemu = [f"/usr/bin/{inert.QEMU[truth['abi']]}", "-L", str(recorder.sysroot(truth["abi"]))]
        done = subprocess.run([*inert.as_nobody(), *BOX, "/usr/bin/python3", "-c", PEER, address, str(planted["port"]), planted["staged"], TYPED, *qemu],
                              input=f"{program.hex()}\n{CANARY.hex()}\n", capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, f"{name}: {done.stderr}")
        return done.stdout.split("\n")[:2]

    def test_on_every_abi(self):
        """The port and the address in its integer form, and the order of the bytes, on eight machines."""
        reached = 0
        origin = make.made_from()
        for abi in make.ABIS:
            for rung in ("L4", "L5"):
                for opt in make.OPTS:
                    make.make(SEED, rung, abi, opt, "dynamic", OUT, origin)
                    name = f"{rung}-{abi}-{opt}-dynamic"
                    truth = json.loads((OUT / f"{name}.truth.json").read_text())
                    if truth["planted"]["means"] == "mount(2)" or truth["planted"]["port"] < 1:
                        continue
                    self.assertEqual(self.reach(name, truth, truth["planted"]["address"]), ["get " + truth["planted"]["remote"], "True"], name)
                    reached += 1
                    break
        self.assertGreaterEqual(reached, 12)
        print(f"{reached} programs reached their peer")


if __name__ == "__main__":
    why = inert.unavailable()
    if why:
        print(f"[  SKIPPED ] lab_behaviour_test: {why}")
        sys.exit(77)
    unittest.main()
