"""Starts a specimen where it must refuse: as nobody, in fresh user, mount, pid and net namespaces, no interface up.

The marker of the closed box is not there, so every program and script must end with REFUSED, having done nothing."""
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

import labkit

REFUSED = 97
QEMU = {"armel": "qemu-arm-static", "armhf": "qemu-arm-static", "arm64": "qemu-aarch64-static", "mips": "qemu-mips-static",
        "mipsel": "qemu-mipsel-static", "i386": "qemu-i386-static", "amd64": "qemu-x86_64-static", "powerpc": "qemu-ppc-static"}
_NOBODY = 65534


def unavailable():
    """Why nothing can be started here, or None."""
    for tool in ("unshare", "setpriv"):
        if shutil.which(tool) is None:
            return f"needs {tool}"
    done = subprocess.run([*_box(), "/bin/true"], capture_output=True)
    return None if done.returncode == 0 else f"needs user namespaces: {done.stderr.decode(errors='replace').strip()}"


def _box():
    return [*as_nobody(), "unshare", "--user", "--mount", "--pid", "--net", "--fork", "--kill-child", "--"]


def as_nobody():
    """The words before a command that drop root, where there is root to drop."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--no-new-privs", "--"]


def start(command, cwd):
    """(exit status, output) of `command` in the box; a program that does not end within ten seconds did not refuse."""
    try:
        done = subprocess.run([*_box(), *map(str, command)], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=10, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    except subprocess.TimeoutExpired as late:
        return "still running", late.output or b""
    return done.returncode, done.stdout


class Place:
    """A private directory, of the user that starts things, holding one root file system. Only there, and only while
    it exists, are programs executable: the emulator asks for that bit."""

    def __init__(self, tree):
        self._holder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self._holder.name)
        for path, node in labkit.with_parents(tree).items():
            target = self.root / path
            if stat.S_ISDIR(node.mode):
                target.mkdir(exist_ok=True)
            elif stat.S_ISREG(node.mode):
                target.write_bytes(node.content)
                target.chmod(0o755 if node.mode & 0o100 else 0o644)
        if os.geteuid() == 0:
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, _NOBODY, _NOBODY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._holder.cleanup()

    def start_program(self, path, abi, library_root=None):
        command = [QEMU[abi]]
        if library_root is not None:
            command += ["-L", library_root]
        return start([*command, self.root / path], self.root)

    def start_script(self, path):
        return start(["/bin/sh", self.root / path], self.root)
