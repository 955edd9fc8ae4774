"""Runs a specimen's program or script where every command it can name is a recorder, and returns the lines it would have run.

That place has namespaces of its own, no interface, a /run, /var, /tmp and /mnt of its own, the marker, and nobody's rights.
Verifiers answer no; everything else succeeds and does nothing."""
import pathlib
import shutil
import subprocess

import inert

COMMANDS = """mount umount cp mkdir tar wget curl tftp ftpget nc sh chmod openssl usign minisign ip openvpn dd flashcp mtd_write
reboot logger pm dialog sync sleep ntpd tcpsvd rm mv""".split()
SYSROOTS = {"armel": "arm-linux-gnueabi", "armhf": "arm-linux-gnueabihf", "arm64": "aarch64-linux-gnu", "mips": "mips-linux-gnu",
            "mipsel": "mipsel-linux-gnu", "i386": "i686-linux-gnu", "powerpc": "powerpc-linux-gnu"}
_REFUSING = ("openssl", "usign", "minisign")

_BOX = r"""
set -e
for place in /run /var /mnt; do mount -t tmpfs none $place; done
mkdir -p /run/fake /var/log /var/tmp /var/run /var/update /mnt/sd/update /mnt/usb
: > /run/closed-box
echo 'package=new.apk' > /run/offer
for name in {names}; do
  case " {refusing} " in *" $name "*) status=1;; *) status=0;; esac
  printf '#!/bin/sh\necho "%s $*" >> /run/log\nexit %s\n' $name $status > /run/fake/$name
  chmod 755 /run/fake/$name
done
for name in cat sed grep date ls; do ln -s /bin/$name /run/fake/$name; done
: > /mnt/usb/update.tar
cat "$3" > /run/program
chmod 755 /run/program
mount -t tmpfs none /tmp
mkdir /tmp/work
cp /run/offer /tmp/offer
export ACTION=add MDEV=sda1
printf '%s' "$4" | PATH=/run/fake /usr/bin/timeout 15 "$1" $2 /run/program > /dev/null 2>&1 || true
cat /run/log 2> /dev/null || true
"""


def sysroot(abi):
    """Where the shared libraries of an ABI lie on this machine."""
    return pathlib.Path("/usr") / SYSROOTS[abi] if abi in SYSROOTS else pathlib.Path("/")


def record(tree, path, abi, typed):
    script = tree[path].content.startswith(b"#!")
    runner = ["/bin/sh", ""] if script else [shutil.which(inert.QEMU[abi]), f"-L {sysroot(abi)}"]
    with inert.Place(tree) as place:
        box = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child", "--"]
        done = subprocess.run([*inert.as_nobody(), *box, "/bin/sh", "-c", _BOX.format(names=" ".join(COMMANDS), refusing=" ".join(_REFUSING)),
                               "sh", *runner, place.root / path, typed], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"{path}: {done.stderr}")
    return done.stdout.splitlines()
