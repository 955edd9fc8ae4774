"""Why: a maker's device is sold under many names. A twin of the lab's package with another brand, splash, version and addresses, built
again, must be recognised among twenty strangers, and no stranger may be: stories, ladder pairs, another maker's images, Debian's programs."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lab"), str(ROOT / "lab" / "stories")]
import build  # noqa: E402
import labkit  # noqa: E402

BIOPSY = os.environ["BIOPSY"]
SHARED = pathlib.Path(os.environ.get("BIOPSY_SHARED", ROOT.parent / "shared"))
# What a reseller changes: words on the screen, version, the places where data goes.
RELABELLED = [("Bedside patient monitor", "VitaScreen 9000 by Norwind"), ("Updating, please wait", "Service mode"), ("198.51.100.23", "203.0.113.40"), ("198.51.100.24", "203.0.113.41"),
              ("Nothing to set", "Ask your Norwind dealer"), ("Update failed", "Service call needed"), ("Update finished, restarting", "Service mode done"), ("MENU ", "NORWIND MENU ")]
STORIES = ["adups", "growatt-shinelan", "homee-usb", "medtronic-2090", "netis-53413", "sercomm-32764", "trendnet-fetch", "xiongmai-9530", "quiet-busybox", "quiet-verified-fetch-c"]
DEBIAN = [("armel", "busybox-static"), ("armel", "libssl3")]
LINE, MARGIN = 35, 20  # kAlike of src/compare/alike.h, and how far from it twin and stranger must stay
PROGRAMS = {"monitor": [*build.MONITOR, "central_plain.c", "update_share.c"], "update": [*build.COMMON, "update.c"]}


def relabelled(text):
    for old, new in RELABELLED:
        text = text.replace(old, new)
    return text


def image_of(built, label, device, version):
    package = build.Package(f"{label}.bin", version, "squashfs:xz", "on")
    tree = build.root_tree(package, built)
    tree["etc/device"] = labkit.regular(f"DEVICE={device}\n")
    return labkit.squashfs(tree, "xz") + labkit.jffs2(dict(build.opt_tree(package, built)))


def twin(level, stripped, static=False, relabel=True):
    """The package's programs with another label; recompiled, at another level of optimisation if asked."""
    words = relabelled if relabel else str
    headers = [(name, words(text)) for name, text in build.texts(sorted(path.name for path in (labkit.SOURCE / "monitor").glob("*.h")))]
    flags = [flag for flag in build.FLAGS if flag != "-O2"] + [f"-{level}", *(["-static"] if static else [])] + (['-DMONITOR_VERSION="7.31"'] if relabel else [])
    built = {}
    for name, sources in PROGRAMS.items():
        texts = [(file, words(text)) for file, text in build.texts(sources) + build.texts(["guard.c"], "guard")]
        built[name] = labkit.compile_program(build.COMPILER, flags, texts, headers, strip="arm-linux-gnueabi-strip" if stripped else None)
    return image_of(built, "twin", "norwind-v9000" if relabel else "monitor", "7.31" if relabel else "2.0.6")


def same_platform(specimen):
    """The package's own root, scripts, BusyBox and file names; the programs are another device's."""
    with tarfile.open(specimen) as archive:
        contents = [archive.extractfile(entry).read() for entry in archive if entry.isfile()]
    programs = sorted((content for content in contents if content.startswith(b"\x7fELF")), key=len)
    return image_of({"monitor": programs[-1], "update": programs[0]}, "other", "other", "1.0")


def strangers(place):
    """Files that are other devices; each name once."""
    out = []
    subprocess.run([sys.executable, "-B", ROOT / "lab/stories/stories.py", "--out", place / "stories", *STORIES], check=True, capture_output=True)
    for story in STORIES:
        made = sorted((place / "stories").rglob("*.tar"))
        out += [path for path in made if story in str(path.relative_to(place)) and "twin" not in path.name][:1]
    subprocess.run([sys.executable, "-B", ROOT / "lab/ladder/make.py", "--seed", "3", "--one-each", "--out", place / "ladder"], check=True, capture_output=True)
    out += [path for path in sorted((place / "ladder").rglob("*.tar")) if "planted" in path.name and ("armel" in path.name or "mipsel" in path.name)][:12]
    for abi, package in DEBIAN:
        path = place / f"debian-{package}-{abi}.tar"
        path.write_bytes(labkit.tar_bytes(labkit.with_parents({name: labkit.regular(content, 0o755) for name, content in labkit.debian_files(abi, package).items()})))
        out.append(path)
    for path in [path for path in out if path.name.startswith(("L2-armel", "L4-armel"))]:
        out.append(place / f"same-platform-{path.name.split('.')[0]}.bin")
        out[-1].write_bytes(same_platform(path))
    return out


def real_images():
    firmware = SHARED / "firmware"
    return [path for path in sorted([*firmware.glob("images/*.bin"), *firmware.glob("dumps/*/root*")]) if path.is_file()]


def liken(known, others):
    done = subprocess.run([BIOPSY, "compare", "--alike", "--jobs", "2", "--format", "json", known, *others], capture_output=True, timeout=300)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr.decode(errors="replace"))
    return json.loads(done.stdout)["others"], done


def held(known, twins, others, failures):
    """Each twin by MARGIN points over the line, each stranger as far under it."""
    answers = liken(known, [*twins, *others])[0]
    for path, one in zip([*twins, *others], answers):
        print(f"  {one['likeness']:3} %  {path.parent.name + '/' if path.name.startswith('root') else ''}{path.name}" + ("" if one["evaluated"] else "  (no program of its own)"))
        if path in twins and (not one["alike"] or one["likeness"] < LINE + MARGIN) or path not in twins and (one["alike"] or one["likeness"] > LINE - MARGIN):
            failures.append(f"{path.name}: {one['likeness']} %")
    return answers


def main():
    failures = []
    if not shutil.which("arm-linux-gnueabi-gcc"):
        print("[  SKIPPED ] alike_test: needs the cross compilers")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        known = place / "known.bin"
        known.write_bytes(build.image(build.PACKAGES[0]))
        twins = []
        for level, stripped in (("O2", False), ("Os", True)):
            twins.append(place / f"twin-{level}.bin")
            twins[-1].write_bytes(twin(level, stripped))
        others, real = strangers(place), real_images()
        if not real:
            print("[  SKIPPED ] real images as strangers: needs shared firmware")
        print(f"{len(others) + len(real)} strangers, {len(twins)} twins; the line is {LINE}")
        if len(others) < 20:
            failures.append("twenty strangers at least")
        for one in held(known, twins, [*others, *real], failures)[:len(twins)]:
            pairs = {pair["known"]: pair for pair in one["programs"]}
            if not (pairs.get("/opt/bin/monitor", {}).get("strings", {}).get("shared", 0) > 20 and pairs["/opt/bin/monitor"]["functions"]["shared"] > 0):
                failures.append(f"{one['device']}: no evidence of the main program: {pairs.get('/opt/bin/monitor')}")

        # Linked statically, every program holds the same C library: the hardest strangers there are.
        fixed, copy = place / "static.bin", place / "static-twin.bin"
        fixed.write_bytes(twin("O2", False, static=True, relabel=False))
        copy.write_bytes(twin("Os", True, static=True))
        held(fixed, [copy], [path for path in others if "armel" in path.name and "static" in path.name], failures)

        # Real pairs: two versions of one camera, and devices of different makers.
        cameras = [path for path in real if "wyze" in path.parent.name]
        if len(cameras) == 2:
            held(cameras[0], [cameras[1]], [path for path in real if path not in cameras], failures)
        if any(one["alike"] for one in liken(real[0], [path for path in real if path != real[0]])[0]) if real else False:
            failures.append(f"{real[0].name} is taken for another")

        everything = [known, *twins, *others[:3]]
        if liken(everything[0], everything[1:])[1].stdout != liken(everything[0], everything[1:])[1].stdout:
            failures.append("the same input must give the same bytes")
        words = subprocess.run([BIOPSY, "compare", "--alike", known, twins[0]], capture_output=True, text=True, timeout=100).stdout
        if "may be the same device" not in words or "strings" not in words:
            failures.append(words)
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
