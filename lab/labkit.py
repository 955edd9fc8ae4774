"""Turns sources and Debian packages into root file systems and flash images, the same bytes every time.

A tree is a dict from path (no leading slash) to a Node; modes and owners live there and are given to the image
writers directly, so that no specimen is ever an executable file on the host. Everything slow is kept by the hash of
what it was made from beneath .cache/lab.
"""
import fcntl
import hashlib
import io
import os
import pathlib
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass

SOURCE = pathlib.Path(__file__).resolve().parent
CACHE = SOURCE.parent / ".cache"
EPOCH = 1577836800  # 2020-01-01; every date in every image
ENVIRONMENT = dict(os.environ, SOURCE_DATE_EPOCH=str(EPOCH), LC_ALL="C", TZ="UTC")

ABIS = {  # name: tool prefix, flags
    "armel": ("arm-linux-gnueabi-", ["-march=armv5te", "-marm"]),
    "armhf": ("arm-linux-gnueabihf-", ["-mthumb"]),
    "arm64": ("aarch64-linux-gnu-", []),
    "mips": ("mips-linux-gnu-", []),
    "mipsel": ("mipsel-linux-gnu-", []),
    "i386": ("i686-linux-gnu-", []),
    "amd64": ("x86_64-linux-gnu-", []),
    "powerpc": ("powerpc-linux-gnu-", []),
}


@dataclass(frozen=True)
class Node:
    """One entry of a tree. `mode` has the file type bits; a link's content is its target."""

    mode: int
    content: bytes = b""
    device: tuple = (0, 0)


def regular(content, mode=0o644):
    return Node(stat.S_IFREG | mode, content.encode() if isinstance(content, str) else content)


def link(target):
    return Node(stat.S_IFLNK | 0o777, target.encode())


def directory(mode=0o755):
    return Node(stat.S_IFDIR | mode)


def character(major, minor, mode=0o600):
    return Node(stat.S_IFCHR | mode, device=(major, minor))


def with_parents(tree):
    """The tree with every missing directory above an entry added, sorted by path."""
    full = dict(tree)
    for path in tree:
        for parent in pathlib.PurePosixPath(path).parents:
            if str(parent) != ".":
                full.setdefault(str(parent), directory())
    return dict(sorted(full.items()))


def run(command, **options):
    """Runs a tool; its own words are shown when it fails."""
    done = subprocess.run([str(word) for word in command], env=ENVIRONMENT, capture_output=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout.decode(errors='replace')}{done.stderr.decode(errors='replace')}")
    return done.stdout


_versions = {}


def version_of(tool):
    if tool not in _versions:
        _versions[tool] = subprocess.run([tool, "--version"], capture_output=True).stdout.splitlines()[:1]
    return _versions[tool]


def key_of(*parts):
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def cached(key, make):
    """The bytes kept under `key`, or those that `make()` returns, kept from now on."""
    place = CACHE / "lab" / key[:2] / key
    if place.exists():
        return place.read_bytes()
    data = make()
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as out:
        out.write(data)
    os.chmod(out.name, 0o644)
    os.replace(out.name, place)
    return data


def compile_program(compiler, flags, sources, headers=(), libraries=(), strip=None, extra_key=()):
    """One linked program as bytes. `sources` and `headers` are (name, text) pairs; the build sees only those."""
    key = key_of("program", compiler, version_of(compiler), flags, sources, headers, libraries, strip, extra_key)

    def make():
        with tempfile.TemporaryDirectory() as place:
            for name, text in (*sources, *headers):
                (pathlib.Path(place) / name).write_text(text)
            out = pathlib.Path(place) / "program"
            run([compiler, *flags, f"-ffile-prefix-map={place}=/build", "-o", out.name,
                 *[name for name, _ in sources], *libraries], cwd=place)
            if strip:
                run([strip, out])
            return out.read_bytes()

    return cached(key, make)


def tar_bytes(tree):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, node in with_parents(tree).items():
            entry = tarfile.TarInfo(path)
            entry.mode = stat.S_IMODE(node.mode)
            entry.mtime = EPOCH
            entry.uname = entry.gname = "root"
            if stat.S_ISDIR(node.mode):
                entry.type = tarfile.DIRTYPE
            elif stat.S_ISLNK(node.mode):
                entry.type = tarfile.SYMTYPE
                entry.linkname = node.content.decode()
            elif stat.S_ISCHR(node.mode):
                entry.type = tarfile.CHRTYPE
                entry.devmajor, entry.devminor = node.device
            if stat.S_ISREG(node.mode):
                entry.size = len(node.content)
                archive.addfile(entry, io.BytesIO(node.content))
            else:
                archive.addfile(entry)
    return out.getvalue()


def squashfs(tree, compression):
    data = tar_bytes(tree)

    def make():
        with tempfile.TemporaryDirectory() as place:
            out = pathlib.Path(place) / "image"
            run(["sqfstar", "-comp", compression, "-no-xattrs", "-root-mode", "755", "-processors", "2", "-quiet", "-no-progress", out], input=data)
            return out.read_bytes()

    return cached(key_of("squashfs", "root 755", compression, version_of("sqfstar"), data), make)


def _staged(tree, command):
    """Writes the tree as plain 0644 files and runs `command(root, out)` under fakeroot, which alone is told the true
    modes, owners and device numbers (through its state file)."""
    with tempfile.TemporaryDirectory() as place:
        root = pathlib.Path(place) / "root"
        out = pathlib.Path(place) / "image"
        root.mkdir()
        state = []
        entries = {".": directory(), **with_parents(tree)}
        for path, node in entries.items():
            target = root / path
            if stat.S_ISLNK(node.mode):
                target.symlink_to(node.content.decode())
            elif stat.S_ISDIR(node.mode):
                target.mkdir(exist_ok=True)
            else:
                target.write_bytes(node.content)
                target.chmod(0o644)
            major, minor = node.device
            found = target.lstat()
            state.append(f"dev={found.st_dev:x},ino={found.st_ino},mode={node.mode:o},uid=0,gid=0,nlink=1,"
                         f"rdev={major << 8 | minor}\n")
        for path in reversed(list(entries)):
            os.utime(root / path, (EPOCH, EPOCH), follow_symlinks=False)
        listing = pathlib.Path(place) / "state"
        listing.write_text("".join(state))
        run(["fakeroot", "-i", listing, "--", *command(root, out)])
        return out.read_bytes()


def cramfs(tree, name):
    def command(root, out):
        return ["mkfs.cramfs", "-n", name, "-e", "1", "-N", "little", root, out]

    return cached(key_of("cramfs", name, tar_bytes(tree)), lambda: _staged(tree, command))


def jffs2(tree, order="little", erase_block=0x10000):
    def command(root, out):
        return ["mkfs.jffs2", f"--{order}-endian", "-e", hex(erase_block), "-n", "-f", "-r", root, "-o", out, "-p"]

    return cached(key_of("jffs2", order, erase_block, tar_bytes(tree)), lambda: _staged(tree, command))


def uimage(payload, name, load=0x80008000):
    def make():
        with tempfile.TemporaryDirectory() as place:
            data = pathlib.Path(place) / "data"
            out = pathlib.Path(place) / "image"
            data.write_bytes(payload)
            run(["mkimage", "-A", "arm", "-O", "linux", "-T", "kernel", "-C", "none", "-a", hex(load), "-e", hex(load),
                 "-n", name, "-d", data, out])
            return out.read_bytes()

    return cached(key_of("uimage", name, load, payload), make)


def uboot_environment(variables, size):
    """A U-Boot environment block: CRC-32, then NUL-ended key=value, padded with 0xff (as mkenvimage writes it)."""
    text = "".join(f"{key}={value}\n" for key, value in variables.items())

    def make():
        with tempfile.TemporaryDirectory() as place:
            source = pathlib.Path(place) / "text"
            out = pathlib.Path(place) / "image"
            source.write_text(text)
            run(["mkenvimage", "-s", hex(size), "-o", out, source])
            return out.read_bytes()

    return cached(key_of("env", size, text), make)


def padded(data, size):
    if len(data) > size:
        raise SystemExit(f"partition of {len(data)} bytes does not fit {size}")
    return data + b"\xff" * (size - len(data))


def _apt_root(architecture):
    """A private apt root for one foreign architecture: the system's own Debian sources, nothing of the system changed.
    Only the release itself is asked, which changes a few times a year; its security suite changes by the day, and a mirror
    that is halfway through a change would refuse the whole. Returns the options that select the root."""
    root = CACHE / "apt" / architecture
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages", "Origin: Debian"],
        capture_output=True, text=True, check=True).stdout.split("\n")
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    release = sorted({line for line in targets if line and "-" not in line.split()[1]})
    sources = "".join(f"deb [signed-by={keyring}] {line}\n" for line in release)
    for part in ("state/lists/partial", "cache/archives/partial"):
        (root / part).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    options = ["-o", f"Dir::State={root}/state", "-o", f"Dir::State::status={root}/status", "-o", f"Dir::Cache={root}/cache",
               "-o", f"Dir::Etc::sourcelist={root}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
               "-o", f"APT::Architecture={architecture}", "-o", f"APT::Architectures={architecture}",
               "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"]
    listed = root / "sources.list"
    if not listed.exists() or listed.read_text() != sources or not any((root / "state/lists").glob("*Packages*")):
        listed.write_text(sources)
        patiently(["apt-get", *options, "update"])
    return options


def patiently(command, **options):
    """Runs a tool that asks a mirror. Mirrors are renewed while they are read: it is tried again after 5, 20 and 60 seconds."""
    for pause in (5, 20, 60):
        try:
            return run(command, **options)
        except SystemExit:
            time.sleep(pause)
    return run(command, **options)


def debian_package(architecture, package):
    """The path of a Debian package of another architecture, fetched once through a private apt root."""
    place = CACHE / "debs" / architecture
    place.mkdir(parents=True, exist_ok=True)
    with open(place / ".lock", "w") as lock:  # apt itself does not wait for another one
        fcntl.flock(lock, fcntl.LOCK_EX)
        have = sorted(place.glob(f"{package}_*.deb"))
        if not have:
            options = _apt_root(architecture)
            patiently(["apt-get", *options, "download", package], cwd=place)
            have = sorted(place.glob(f"{package}_*.deb"))
    return have[-1]


def debian_files(architecture, package):
    """The regular files of such a package: dict from path (no leading slash) to bytes."""
    data = run(["dpkg-deb", "--fsys-tarfile", debian_package(architecture, package)])
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for entry in archive:
            if entry.isfile():
                found[entry.name.removeprefix("./")] = archive.extractfile(entry).read()
    return found


def write_output(path, data):
    """Writes only what differs, mode 0644."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)
    path.chmod(0o644)
