"""Makes the stories: stories.py --out DIR [NAME...]. Each folder beside this file is one published case, or one case of what must
stay quiet, modelled inertly.

NAME/story.json  what it is, what is expected of the planted half, what the twin changes
NAME/root/       files of the image; NAME/src/ C sources of the programs that story.json names
Files are templates (ladder/template.py) rendered with the flag `planted` or `twin`; a file that comes out empty is not
there. `@guard@` is the line that every script begins with.
Out come NAME.planted.tar, NAME.twin.tar and NAME.truth.json; a quiet case without a loud half has NAME.quiet.tar alone.
"""
import argparse
import concurrent.futures
import json
import pathlib
import random
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent / "ladder"))

import labkit  # noqa: E402
from build import openssl  # noqa: E402
from labkit import ABIS, link, regular  # noqa: E402
from rungs import GUARD_LINE, usign_key  # noqa: E402
from template import render  # noqa: E402

BASE = {
    "etc/inittab": "::sysinit:/etc/init.d/rcS\n::askfirst:-/bin/sh\n",
    "etc/init.d/rcS": "#!/bin/sh\n@guard@\nmount -t proc proc /proc\nmount -t tmpfs tmpfs /tmp\nfor script in /etc/init.d/S??*; do\n\t\"$script\" start\ndone\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/shadow": "root:!:18262:0:99999:7:::\n",
}


def names():
    return sorted(path.parent.name for path in HERE.glob("*/story.json"))


def story_of(name):
    return json.loads((HERE / name / "story.json").read_text())


def roles(story):
    return ["quiet"] if story.get("quiet_only") else ["planted", "twin"]


def rendered(text, role):
    flags = {"twin"} if role == "quiet" else {role}
    return render(text, flags, {"guard": GUARD_LINE.rstrip("\n")}, random.Random(0))


def program(story, folder, role, spec):
    """One program of the story: sources rendered, the guard an object of its own."""
    prefix, machine = ABIS[story["abi"]]
    sources = [(name, rendered((folder / "src" / name).read_text(), role)) for name in spec["sources"]]
    guard = [("guard.c", (HERE.parent / "guard" / "guard.c").read_text())]
    headers = [(path.name, rendered(path.read_text(), role)) for path in sorted(folder.glob("src/*.h"))]
    flags = [*machine, f"-{story.get('opt', 'O2')}", "-w", *spec.get("flags", [])]
    libraries = spec.get("libraries", [])
    if spec.get("openssl"):
        place, triplet = openssl(story["abi"]), prefix.rstrip("-")
        flags += [f"-I{place}/usr/include", f"-I{place}/usr/include/{triplet}", f"-ffile-prefix-map={place}=/sysroot"]
        # The library itself is not there, its functions are weak: the guard is reached before anything of it is wanted.
        libraries = [*libraries, "-Wl,-z,dynamic-undefined-weak", "-Wl,-z,lazy"]
    strip = prefix + "strip" if story.get("stripped") else None
    return labkit.compile_program(prefix + "gcc", flags, [*sources, *guard], headers, libraries, strip)


def efi_module(folder, role, names):
    """A UEFI boot service driver (PE32+), its entry point the guard's."""
    sources = [(name, rendered((folder / "src" / name).read_text(), role)) for name in names]
    sources += [("guard_efi.c", (HERE.parent / "guard" / "guard_efi.c").read_text())]
    header = (folder / "src" / "efi.h").read_text()
    prefix = ABIS["amd64"][0]
    flags = ["-Os", "-w", "-ffreestanding", "-fpic", "-fvisibility=hidden", "-mno-red-zone", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-std=gnu11",
             "-nostdlib", "-shared", "-Wl,-Bsymbolic", "-Wl,-e,module_entry", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096"]
    shared = labkit.compile_program(prefix + "gcc", flags, sources, [("efi.h", header)])

    def make_pe():
        with tempfile.TemporaryDirectory() as place:
            source, out = pathlib.Path(place) / "module.so", pathlib.Path(place) / "module.efi"
            source.write_bytes(shared)
            keep = [word for section in (".text", ".data", ".rodata", ".dynamic", ".dynsym", ".rela.dyn", ".reloc") for word in ("-j", section)]
            labkit.run([prefix + "objcopy", *keep, "--target", "efi-bsdrv-x86_64", source, out])
            data = bytearray(out.read_bytes())
            at = int.from_bytes(data[60:64], "little") + 8  # COFF header: the time of linking
            data[at:at + 4] = labkit.EPOCH.to_bytes(4, "little")
            return bytes(data)

    return labkit.cached(labkit.key_of("efi", shared, labkit.version_of(prefix + "objcopy")), make_pe)


def tree_of(name, role):
    folder = HERE / name
    story = story_of(name)
    texts = dict(BASE)
    for path in sorted((folder / "root").rglob("*")):
        if path.is_file():
            texts[str(path.relative_to(folder / "root"))] = path.read_text()
    tree = {"bin/sh": link("busybox"), "tmp/.keep": regular(""), "etc/keys/update.pem": regular((HERE.parent / "ladder" / "update.pem").read_text()),
            "etc/keys/update.pub": regular(usign_key())}
    for path, text in texts.items():
        content = rendered(text, role)
        if content.strip():
            tree[path] = regular(content, 0o755 if content.startswith("#!") else 0o600 if path.endswith("shadow") else 0o644)
    for path, spec in story.get("programs", {}).items():
        tree[path] = regular(program(story, folder, role, spec), 0o755)
    for path, sources in story.get("efi", {}).items():
        tree[path] = regular(efi_module(folder, role, sources))
    for architecture, package, path in story.get("debian", []):
        tree[path] = regular(labkit.debian_files(architecture, package)[path], 0o755)
    return tree


def make(name, out):
    story = story_of(name)
    truth = {"name": name, **{key: value for key, value in story.items() if key not in ("programs", "debian", "efi")}}
    truth["files"] = {role: f"{name}.{role}.tar" for role in roles(story)}
    for role in roles(story):
        labkit.write_output(out / f"{name}.{role}.tar", labkit.tar_bytes(tree_of(name, role)))
    labkit.write_output(out / f"{name}.truth.json", (json.dumps(truth, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())
    return name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("names", nargs="*", help="the stories wanted; all of them when none is named")
    options = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda name: make(name, options.out), options.names or names()))
    print(f"{len(made)} stories in {options.out}")


if __name__ == "__main__":
    main()
