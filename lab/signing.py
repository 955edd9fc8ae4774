"""The lab's signing key and signed update packages, for the clean twin. The key is worthless: it is derived from the
sentence below, so that nothing secret lies in the tree and the public half is the same in every build."""
import hashlib
import pathlib
import tempfile

from labkit import run

_SEED = hashlib.sha256(b"update signing key of the lab's clean twin; protects nothing").digest()
_PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410, section 7


def public_key():
    """PEM, as it lies in the image."""
    return run(["openssl", "pkey", "-inform", "DER", "-pubout"], input=_PKCS8_ED25519 + _SEED)


def sign(data):
    with tempfile.TemporaryDirectory() as place:
        key = pathlib.Path(place) / "key"
        text = pathlib.Path(place) / "text"
        key.write_bytes(_PKCS8_ED25519 + _SEED)
        text.write_bytes(data)
        return run(["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", key, "-in", text])


def update_package(files, version, device, origin, notes):
    """The files of a signed package: `files` (path beneath /opt to bytes), `manifest` and `manifest.sig`."""
    lines = [f"device {device}", f"version {version}", f"origin {origin}", f"notes {notes}"]
    for path, content in sorted(files.items()):
        lines.append(f"file {hashlib.sha256(content).hexdigest()} {len(content)} {path}")
    manifest = ("\n".join(lines) + "\n").encode()
    return {**files, "manifest": manifest, "manifest.sig": sign(manifest)}
