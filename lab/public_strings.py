"""Writes models/public_strings.txt: what everybody's programs hold, so that `compare --alike` does not count it.

Of the libraries that are linked into programs everywhere (C and C++ run time, OpenSSL, zlib, BusyBox; as Debian has them), each
text that ends in NUL is one hash: the first six hexadecimal digits of SHA-256. The texts themselves are not kept.
"""
import hashlib
import pathlib
import re
import subprocess
import sys

import labkit

TARGET = labkit.SOURCE.parent / "models" / "public_strings.txt"
TOOLCHAINS = ("arm-linux-gnueabi", "mipsel-linux-gnu")  # texts hardly differ between processors
OF_A_TOOLCHAIN = ("libc.a", "libm.a", "libpthread.a", "libresolv.a", "libc.so.6", "ld-*.so*", "libstdc++.so.6", "libgcc_s.so.1")
PACKAGES = ("libssl3", "zlib1g", "busybox-static")
TEXT = re.compile(rb"[\x20-\x7e\t\n\r]{6,}(?=\0)")
LONGEST = 200  # as src/compare/sketch.cc cuts them
DIGITS, A_LINE = 6, 18


def versions():
    out = []
    for toolchain in TOOLCHAINS:
        prefix = {"arm-linux-gnueabi": "armel", "mipsel-linux-gnu": "mipsel"}[toolchain]
        for package in (f"libc6-dev-{prefix}-cross", f"libstdc++6-{prefix}-cross"):
            out.append(subprocess.run(["dpkg-query", "-W", package], check=True, capture_output=True, text=True).stdout.strip().replace("\t", " "))
    return out + [labkit.debian_package("armel", package).name.removesuffix("_armel.deb").replace("_", " ") for package in PACKAGES]


def main():
    contents = []
    for toolchain in TOOLCHAINS:
        for pattern in OF_A_TOOLCHAIN:
            contents += [path.read_bytes() for path in sorted(pathlib.Path("/usr", toolchain, "lib").glob(pattern))]
    for package in PACKAGES:
        contents += [content for name, content in labkit.debian_files("armel", package).items() if "/doc/" not in name]
    texts = {match.group()[:LONGEST] for content in contents for match in TEXT.finditer(content)}
    hashes = sorted({hashlib.sha256(text).hexdigest()[:DIGITS] for text in texts})
    head = ["# Texts of public libraries, as hashes; made by lab/public_strings.py of:", *(f"# {one}" for one in versions())]
    lines = [" ".join(hashes[i:i + A_LINE]) for i in range(0, len(hashes), A_LINE)]
    TARGET.write_text("\n".join([*head, *lines]) + "\n")
    print(f"{len(texts)} texts, {len(hashes)} hashes")


if __name__ == "__main__":
    sys.exit(main())
