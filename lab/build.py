"""Turns the sources beside it into the lab's firmware packages: build.py OUTDIR.

Each package is one flash image: U-Boot environment, uImage stand-in, root file system, jffs2 with the programs and the
owner's settings. What differs between them is the table PACKAGES and nothing else.
"""
import pathlib
import sys
from dataclasses import dataclass

import labkit
import manual_pdf
import signing
from labkit import SOURCE, character, directory, link, regular

COMPILER = "arm-linux-gnueabi-gcc"
FLAGS = ["-march=armv5te", "-marm", "-O2", "-g", "-std=gnu11", "-no-pie", "-fno-pie"]
COMMON = ["screen.c", "settings.c"]
MONITOR = [*COMMON, "monitor.c", "patient.c", "vitals.c", "central.c", "central_frames.c", "central_hl7.c"]
GOVERNED = ["update_signed.c", "manifest.c", "audit.c"]

APPLETS = """bin/sh bin/ash bin/cat bin/chmod bin/cp bin/date bin/dd bin/df bin/echo bin/grep bin/hostname bin/kill bin/ln
bin/ls bin/mkdir bin/mknod bin/mount bin/mv bin/ping bin/ps bin/pwd bin/rm bin/rmdir bin/sed bin/sleep bin/sync bin/touch
bin/umount bin/vi sbin/ifconfig sbin/init sbin/reboot sbin/route sbin/syslogd usr/bin/awk usr/bin/cut usr/bin/find
usr/bin/free usr/bin/head usr/bin/killall usr/bin/tail usr/bin/test usr/bin/top usr/bin/wc""".split()

ENVIRONMENT_SIZE, KERNEL_SIZE, ROOT_SIZE = 0x10000, 0x40000, 0x400000
PARTITIONS = f"mtdparts=lpc32xx_nand:{ENVIRONMENT_SIZE >> 10}k(env),{KERNEL_SIZE >> 10}k(kernel),{ROOT_SIZE >> 10}k(rootfs),-(opt)"


@dataclass(frozen=True)
class Package:
    """One image. `version` empty: the image names none. `network`: the interface as the owner finds it."""

    file: str
    version: str
    root: str  # cramfs, or squashfs:COMPRESSION
    network: str
    clean: bool = False
    updates: bool = True  # without: no program of it mounts, fetches or installs


PACKAGES = [
    Package("monitor-2.0.6.bin", "2.0.6", "cramfs", "on"),
    Package("monitor-prerelease.bin", "", "squashfs:gzip", "on"),
    Package("monitor-2.0.8-pre.bin", "2.0.8-pre", "squashfs:xz", "off"),
    Package("monitor-clean.bin", "2.0.8", "squashfs:gzip", "on", clean=True),
    Package("monitor-2.0.9.bin", "2.0.9", "squashfs:xz", "on", updates=False),
]


def texts(names, folder="monitor"):
    return [(name, (SOURCE / folder / name).read_text()) for name in names]


def program(names, definitions=(), libraries=(), extra_flags=(), guarded=True):
    """One ARMv5 program with debug information; the guard is linked as an object of its own."""
    headers = texts(sorted(path.name for path in (SOURCE / "monitor").glob("*.h")))
    sources = texts(names) + (texts(["guard.c"], "guard") if guarded else [])
    return labkit.compile_program(COMPILER, [*FLAGS, *definitions, *extra_flags], sources, headers, libraries)


def openssl(abi="armel"):
    """The folder of Debian's OpenSSL for an ABI, headers and shared libraries, unpacked once."""
    place = labkit.CACHE / "sysroot" / abi
    if not (place / "done").exists():
        place.mkdir(parents=True, exist_ok=True)
        for package in ("libssl-dev", "libssl3"):
            labkit.run(["dpkg-deb", "-x", labkit.debian_package(abi, package), place])
        (place / "done").touch()
    return place


def programs(package):
    """Path beneath /opt/bin, or full path of the root file system, to program bytes."""
    version = [f'-DMONITOR_VERSION="{package.version}"'] if package.version else []
    if not package.updates:
        return {"monitor": program([*MONITOR, "central_plain.c", "update_none.c"], version)}
    if not package.clean:
        return {"monitor": program([*MONITOR, "central_plain.c", "update_share.c"], version), "update": program([*COMMON, "update.c"])}
    place = openssl()
    flags = [f"-I{place}/usr/include", f"-I{place}/usr/include/arm-linux-gnueabi",
             f"-ffile-prefix-map={place}=/sysroot", f"-L{place}/usr/lib/arm-linux-gnueabi"]
    libraries = ["-lcrypto", "-Wl,--allow-shlib-undefined"]
    return {
        "monitor": program([*MONITOR, "central_tls.c", *GOVERNED], version, ["-lssl", *libraries], flags),
        "update": program([*COMMON, "update_boot_signed.c", *GOVERNED], (), libraries, flags),
        "verify-image": program(["verify_image.c", "manifest.c"], (), libraries, flags, guarded=False),
    }


def scripts():
    folder = SOURCE / "rootfs" / "common"
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def clean_scripts():
    folder = SOURCE / "rootfs" / "clean"
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


def root_tree(package, built):
    tree = {
        "bin/busybox": regular(labkit.debian_files("armel", "busybox-static")["bin/busybox"], 0o755),
        "dev/console": character(5, 1),
        "dev/null": character(1, 3, 0o666),
        "dev/ttyS0": character(204, 64),
        "dev/mtdblock2": character(31, 2),
        "init": link("sbin/init"),
        **{path: link("/bin/busybox") for path in APPLETS},
        **{path: directory() for path in ("mnt", "opt", "proc", "sys", "tmp", "root", "run", "var")},
        "var/log": link("/opt/log"),
    }
    found = scripts()
    if package.clean:
        found.update(clean_scripts())
    if not package.updates:
        del found["etc/init.d/S80update"]
    for path, place in found.items():
        tree[path] = regular(place.read_bytes(), 0o755 if "init.d" in path else 0o600 if path == "etc/shadow" else 0o644)
    libc = pathlib.Path("/usr/arm-linux-gnueabi/lib")
    for name in ("ld-linux.so.3", "libc.so.6", *(["libatomic.so.1"] if package.clean else [])):
        tree[f"lib/{name}"] = regular((libc / name).read_bytes(), 0o755)
    tree["etc/device"] = regular("DEVICE=bedside-arm926\n")
    if package.clean:
        for name in ("libcrypto.so.3", "libssl.so.3"):
            tree[f"lib/{name}"] = regular((openssl() / "usr/lib/arm-linux-gnueabi" / name).read_bytes())
        tree["usr/bin/verify-image"] = regular(built["verify-image"], 0o755)
        tree["etc/keys/update.pub"] = regular(signing.public_key())
    return tree


def opt_tree(package, built):
    network = f"ETH0={package.network}\nADDRESS=192.168.1.30\nNETMASK=255.255.255.0\n"
    tree = {
        "bin/monitor": regular(built["monitor"], 0o755),
        **({"bin/update": regular(built["update"], 0o755)} if "update" in built else {}),
        "etc/network.conf": regular(network),
        "data": directory(0o700),
        "log": directory(),
    }
    if package.clean:  # what runs, as it was signed: the link lets the manifest's paths hold beside the programs
        signed = signing.update_package({path: node.content for path, node in tree.items() if path.startswith("bin/")}, version=package.version,
                                        device="bedside-arm926", origin="the maker", notes="as made")
        tree.update({"bin/manifest": regular(signed["manifest"]), "bin/manifest.sig": regular(signed["manifest.sig"]), "bin/bin": link(".")})
    if package.version:
        tree["etc/version"] = regular(f"VERSION={package.version}\n")
    if package.clean:
        tree["etc/update.conf"] = regular("# the owner's update server; nothing is fetched while this is empty\nSERVER=\n")
        tree["etc/central.conf"] = regular("# the owner's central station and HL7 receiver; nothing is sent while they are empty\n"
                                           "CENTRAL=\nHL7=\nSEND_PATIENT_DATA=no\n")
        tree["etc/log.conf"] = regular("# a host that keeps a copy of the log; empty: none\nLOGHOST=\n")
    return tree


def kernel(package, arguments):
    """No kernel: words where one would be. Nothing in it runs."""
    text = f"Linux version 2.6.27 stand-in, not a kernel\0{arguments}\0".encode()
    return labkit.uimage(text, "Linux-2.6.27")


def root_image(package, tree):
    kind, _, compression = package.root.partition(":")
    return labkit.cramfs(tree, "rootfs") if kind == "cramfs" else labkit.squashfs(tree, compression)


def image(package):
    built = programs(package)
    kind = package.root.partition(":")[0]
    arguments = f"console=ttyS0,115200n8 root=/dev/mtdblock2 rootfstype={kind} ro {PARTITIONS}"
    variables = {"bootargs": arguments, "bootcmd": "nand read 80008000 10000 40000;bootm 80008000", "bootdelay": "1"}
    return b"".join([
        labkit.uboot_environment(variables, ENVIRONMENT_SIZE),
        labkit.padded(kernel(package, arguments), KERNEL_SIZE),
        labkit.padded(root_image(package, root_tree(package, built)), ROOT_SIZE),
        labkit.jffs2(opt_tree(package, built)),
    ])


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: build.sh OUTDIR")
    out = pathlib.Path(sys.argv[1])
    for package in PACKAGES:
        labkit.write_output(out / package.file, image(package))
        print(out / package.file)
    text = (SOURCE / "manual.txt").read_text()
    labkit.write_output(out / "manual.txt", text.encode())
    labkit.write_output(out / "manual.pdf", manual_pdf.pdf(text))


if __name__ == "__main__":
    main()
