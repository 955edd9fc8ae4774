"""Weakens the clean package's update in one way at a time: weakened.py --out DIR [--abi ABI ...] [NAME...].

WEAKENINGS is the whole difference: (file, words of the clean source, words in their place). Each becomes NAME.ABI.O2.tar, a root
file system with `/opt/bin/update` and the owner's settings; `clean` is the one without a change. `expects` names the line of the
update's grading that the change turns, with its new state; `leans` the lines that fall with it because they rest on it.
"""
import argparse
import pathlib
import subprocess
import sys

import build
import labkit
from labkit import ABIS, SOURCE, directory, link, regular

SIGNATURE_CHECK = """  if (!signature_holds(key_file, signature, (const unsigned char *)text, length)) {
    *why = "signature verification failed";
    return -1;
  }
"""
VERIFY = '  if (manifest_verify("/opt/stage", "/etc/keys/update.pub", &offered, &why) != 0) return refuse(why);\n'
VERSION = '  if (version_compare(offered.version, installed) <= 0) return refuse("not newer than the installed version");\n'
DEVICE = '  if (strcmp(offered.device, device) != 0) return refuse("made for another device");\n'
CONSENT = '  if (!operator_agrees(&offered, installed, server)) return refuse("the operator declined");\n'
INSTALL = '  if (install_staged(offered.version) != 0) return refuse("could not be written");\n'
RECORD = '  audit("update accepted: version %s, origin %s, server %s", offered.version, offered.origin, server);\n'
SERVER = '  if (setting_read("/opt/etc/update.conf", "SERVER", server, sizeof server) == 0) return refuse("no server is set");\n'
# What the manifest says, believed as it stands.
BELIEVED = """int manifest_believe(const char *directory, struct manifest *out) {
  static char text[MANIFEST_LIMIT + 1];
  size_t length = read_all(directory, "manifest", (unsigned char *)text, MANIFEST_LIMIT);
  text[length] = '\\0';
  return length == 0 ? -1 : parse(text, out);
}

int manifest_verify("""
# The manifest's own hash, from a file beside it on the same share.
HASH_BESIDE = """  {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char listed[32];
    unsigned size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    EVP_DigestUpdate(context, text, length);
    EVP_DigestFinal_ex(context, digest, &size);
    EVP_MD_CTX_free(context);
    if (read_all(directory, "manifest.sha256", listed, sizeof listed) != sizeof listed || memcmp(digest, listed, 32) != 0) {
      *why = "manifest is damaged";
      return -1;
    }
  }
"""
CONSTANT = SIGNATURE_CHECK.replace("!signature_holds(key_file, signature, (const unsigned char *)text, length)", 'signature[63] != 0 || strcmp((const char *)signature, "BEDSIDE-RELEASE-1") != 0')
ON_SIGNATURE, ON_RECORD = ["integrity", "signed-version"], ["audit-record-elsewhere"]

WEAKENINGS = {
    "clean": {"changes": [], "expects": {}},
    "signature-not-checked": {"changes": [("manifest.c", SIGNATURE_CHECK, "")], "expects": {"authenticity": "absent"}, "leans": ON_SIGNATURE},
    "signature-outcome-ignored": {
        "changes": [("manifest.c", SIGNATURE_CHECK, "  signature_holds(key_file, signature, (const unsigned char *)text, length);\n")],
        "expects": {"authenticity": "absent"}, "leans": ON_SIGNATURE},
    "hash-from-the-same-channel": {"changes": [("manifest.c", SIGNATURE_CHECK, HASH_BESIDE)], "expects": {"authenticity": "absent"}, "leans": ON_SIGNATURE},
    "constant-for-a-signature": {"changes": [("manifest.c", SIGNATURE_CHECK, CONSTANT)], "expects": {"authenticity": "fake"}, "leans": ON_SIGNATURE},
    "checked-after-the-write": {
        "changes": [("manifest.c", "int manifest_verify(", BELIEVED), ("update_signed.c", "static int refuse(", "int manifest_believe(const char *directory, struct manifest *out);\n\nstatic int refuse("),
                    ("update_signed.c", VERIFY, '  if (manifest_believe("/opt/stage", &offered) != 0) return refuse("no manifest");\n'),
                    ("update_signed.c", INSTALL, INSTALL + VERIFY)],
        "expects": {"authenticity": "absent"}, "leans": [*ON_SIGNATURE, "unchanged-between-check-and-use"]},
    "checked-on-the-share": {
        "changes": [("update_signed.c", '"cp -rf /mnt/monitor /opt/stage"', '"true"'), ("update_signed.c", '  system("umount /mnt");\n  return staged;', "  return staged;"),
                    ("update_signed.c", '"/opt/stage", "/etc/keys', '"/mnt/monitor", "/etc/keys'), ("update_signed.c", "cp -rf /opt/stage/bin", "cp -rf /mnt/monitor/bin")],
        "expects": {"unchanged-between-check-and-use": "absent"}, "leans": ["authenticity", *ON_SIGNATURE]},
    "version-not-compared": {"changes": [("update_signed.c", VERSION, "")], "expects": {"signed-version": "absent"}},
    "device-not-compared": {"changes": [("update_signed.c", DEVICE, "")], "expects": {"compatibility": "absent"}},
    "source-fixed": {"changes": [("update_signed.c", SERVER, '  snprintf(server, sizeof server, "198.51.100.23");\n')], "expects": {"source-owner-configured": "absent"}},
    "share-in-clear": {"changes": [("update_signed.c", "nolock,sec=krb5p", "nolock")], "expects": {"source-authenticated": "absent", "protected-transport": "absent"}},
    "share-readable-on-the-way": {"changes": [("update_signed.c", "sec=krb5p", "sec=krb5i")], "expects": {"protected-transport": "absent"}},
    "interruption-not-undone": {"changes": [], "scripts": [("S15programs", "[ -d /opt/bin ] || mv /opt/bin.old /opt/bin\n", "")], "expects": {"survives-interruption": "absent"}},
    "not-verified-at-boot": {"changes": [], "scripts": [("S15programs", "/usr/bin/verify-image /opt/bin >/dev/null || mv /opt/bin /opt/bin.refused\n", "")],
                             "expects": {"verified-at-boot": "not-evaluated"}},
    "nobody-asked": {"changes": [("update_signed.c", CONSENT, "")], "expects": {"consent": "absent"}},
    "log-removed": {"changes": [("update_signed.c", RECORD, ""), ("update_signed.c", '  audit("update refused: %s", why);\n', "")], "expects": {"audit-record": "absent"}, "leans": ON_RECORD},
    "refusals-not-logged": {"changes": [("update_signed.c", '  audit("update refused: %s", why);\n', "")], "expects": {"audit-record": "absent"}},
}
SOURCES = [*build.COMMON, "update_boot_signed.c", *build.GOVERNED]
DEBIAN = {"armel": "arm-linux-gnueabi", "armhf": "arm-linux-gnueabihf", "arm64": "aarch64-linux-gnu", "mipsel": "mipsel-linux-gnu", "i386": "i386-linux-gnu", "amd64": "x86_64-linux-gnu"}


def changed(name):
    """(file, text) of the update's sources with one weakening; words that are not there any more end the build."""
    texts = dict(build.texts(SOURCES))
    for file, old, new in WEAKENINGS[name]["changes"]:
        if texts[file].count(old) != 1:
            raise SystemExit(f"{name}: {file} does not hold once: {old}")
        texts[file] = texts[file].replace(old, new)
    return list(texts.items())


def script_of(name, path, content):
    for script, old, new in WEAKENINGS[name].get("scripts", []):
        if path.endswith(script):
            if content.decode().count(old) != 1:
                raise SystemExit(f"{name}: {path} does not hold once: {old}")
            content = content.decode().replace(old, new).encode()
    return content


def compiled(sources, abi, opt):
    place = build.openssl(abi)
    triplet = DEBIAN[abi]
    prefix, machine = ABIS[abi]
    flags = [*machine, f"-{opt}", "-g", "-w", "-std=gnu11", "-no-pie", "-fno-pie", f"-I{place}/usr/include", f"-I{place}/usr/include/{triplet}",
             f"-ffile-prefix-map={place}=/sysroot", f"-L{place}/usr/lib/{triplet}"]
    headers = build.texts(sorted(path.name for path in (SOURCE / "monitor").glob("*.h")))
    return labkit.compile_program(prefix + "gcc", flags, sources, headers, ["-lcrypto", "-Wl,--allow-shlib-undefined"])


def tree_of(name, abi, opt="O2"):
    clean = next(package for package in build.PACKAGES if package.clean)
    tree = {"bin/sh": link("busybox"), "tmp": directory(), "mnt": directory(), "etc/device": regular("DEVICE=bedside-arm926\n"), "etc/keys/update.pub": regular(build.signing.public_key())}
    for path, place in {**build.scripts(), **build.clean_scripts()}.items():
        tree[path] = regular(script_of(name, path, place.read_bytes()), 0o755 if "init.d" in path else 0o600 if path == "etc/shadow" else 0o644)
    program = compiled(changed(name) + build.texts(["guard.c"], "guard"), abi, opt)
    tree["usr/bin/verify-image"] = regular(compiled(build.texts(["verify_image.c", "manifest.c"]), abi, opt), 0o755)
    tree.update({f"opt/{path}": node for path, node in build.opt_tree(clean, {"monitor": b"", "update": program}).items() if path != "bin/monitor"})
    return tree


def unavailable(abi):
    """Why an ABI cannot be built here, or nothing."""
    try:
        labkit.version_of(ABIS[abi][0] + "gcc")
        build.openssl(abi)
    except (OSError, SystemExit, subprocess.CalledProcessError) as missing:
        return str(missing).splitlines()[0]
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--abi", action="append", choices=sorted(DEBIAN))
    parser.add_argument("--opt", default="O2")
    parser.add_argument("names", nargs="*", help="the weakenings wanted; all of them when none is named")
    options = parser.parse_args()
    for abi in options.abi or ["armel"]:
        for name in options.names or WEAKENINGS:
            labkit.write_output(options.out / f"{name}.{abi}.{options.opt}.tar", labkit.tar_bytes(tree_of(name, abi, options.opt)))


if __name__ == "__main__":
    sys.exit(main())
