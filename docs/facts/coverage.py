#!/usr/bin/env python3
"""Which of the facts in real-images.json does a scan report?

A fact counts as reported when the result holds, for the fact's own file, an effect, a finding's evidence or a finding that
  - stands at the fact's line or address, or
  - holds at least one of the fact's key words (from `expect`, five characters or more) in its words, object, target or peer.
A fact of the kind `component` counts when the result's components name its file with the fact's version, or, where the fact has
none (a kernel module), name it at all. The file list, the coverage section and doubts never count. Every fact that is not reported
is explained in not-reported.json; one without a reason, or a reason for a fact that is reported, fails. Run from the source root:

  python3 docs/facts/coverage.py --biopsy build/release/biopsy [--list-missed] [--write docs/facts/coverage.md] [--at-least PERCENT]

Needs the shared firmware (BIOPSY_SHARED, or a folder `shared` beside the checkout); exits 77 without it.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def shared():
    return pathlib.Path(os.environ.get("BIOPSY_SHARED", ROOT.parent / "shared")) / "firmware"


def scan(biopsy, device):
    place = shared() / device if device.startswith("dumps/") else shared() / "images" / device
    words = [biopsy, "scan", "--format", "json", "--show-secrets", "--quiet"]
    words += ["--device", *sorted(str(p) for p in place.iterdir())] if place.is_dir() else [str(place)]
    result = subprocess.run(words, capture_output=True, timeout=300)
    if result.returncode not in (0, 1):
        sys.exit(result.stderr.decode())
    return json.loads(result.stdout)


def sites(evidence):
    if "site" in evidence:
        yield evidence["site"], evidence.get("says", "")
    for part in evidence.get("parts", []):
        yield from sites(part)


def told(result):
    """(file, line, address, text) of everything that the result reports."""
    for effect in result["effects"]:
        site = effect["site"]
        peer = effect.get("peer", {})
        text = " ".join([site.get("words", ""), effect.get("object", {}).get("value", ""), effect.get("target", {}).get("value", ""),
                         peer.get("address", ""), peer.get("host", ""), effect["kind"], *effect.get("notes", {}).values()])
        yield site["file"], site.get("line"), site.get("address"), text
    for finding in result["findings"]:
        for site, says in sites(finding["evidence"]):
            yield site["file"], site.get("line"), site.get("address"), " ".join([site.get("words", ""), says])
        for name in finding["files"]:
            yield name, None, None, finding["title"] + " " + finding["says"]


def component_reported(fact, result):
    for component in result.get("components", []):
        if same_file(fact["path"], component.get("path", "")):
            version = component.get("version", "")
            wanted = re.findall(r"[0-9]+(?:\.[0-9a-z]+)+", fact["words"])
            if not wanted or any(version == each for each in wanted):
                return True
    return False


def same_file(fact_path, path):
    plain = lambda p: re.sub(r"^/\.(partition|container)-\d+", "", p.replace("!/", "!"))
    return plain(fact_path) == plain(path) or plain(path).endswith(plain(fact_path))


def reported(fact, statements):
    keys = [k.strip().lower() for k in fact["expect"].split(",") if len(k.strip()) >= 5]
    address = int(fact["address"], 16) if fact.get("address", "").startswith("0x") else None
    for path, line, at, text in statements:
        if not same_file(fact["path"], path):
            continue
        if fact.get("line") and line == fact["line"]:
            return True
        if address is not None and at == address:
            return True
        if any(key in text.lower() for key in keys):
            return True
    return False


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--biopsy", default=str(ROOT / "build/release/biopsy"))
    arguments.add_argument("--list-missed", action="store_true")
    arguments.add_argument("--write")
    arguments.add_argument("--at-least", type=float, default=0)
    options = arguments.parse_args()
    if not shared().is_dir():
        print("skipped: facts coverage needs the shared firmware")
        sys.exit(77)
    facts = json.loads((HERE / "real-images.json").read_text())
    lines = ["# Facts that a scan reports", "", f"Written on {datetime.date.today()} by `python3 docs/facts/coverage.py --write docs/facts/coverage.md`; the rule stands in that file.", "",
             "| image | facts | reported |", "| --- | --- | --- |"]
    missed, total = [], 0
    for device in sorted({fact["image"] for fact in facts}):
        result = scan(options.biopsy, device)
        statements = list(told(result))
        mine = [fact for fact in facts if fact["image"] == device]
        found = [fact for fact in mine if reported(fact, statements) or (fact["kind"] == "component" and component_reported(fact, result))]
        missed += [fact for fact in mine if fact not in found]
        total += len(found)
        lines.append(f"| {device} | {len(mine)} | {len(found)} |")
    share = 100 * total / len(facts)
    lines += [f"| all | {len(facts)} | {total} ({share:.1f} %) |", "", "## Not reported", "", "| fact | where | kind | what | why not |", "| --- | --- | --- | --- | --- |"]
    why = json.loads((HERE / "not-reported.json").read_text())
    for fact in missed:
        lines.append(f"| {fact['id']} | {fact['image']} `{fact['path']}` | {fact['kind']} | {fact['fact'].replace('|', '/')} | {why.get(fact['id'], '')} |")
    if options.write:
        pathlib.Path(options.write).write_text("\n".join(lines) + "\n")
    if options.list_missed:
        print("\n".join(lines))
    print(f"facts reported: {total} of {len(facts)} ({share:.1f} %)")
    if unlike := {fact["id"] for fact in missed} ^ set(why):
        sys.exit(f"not-reported.json does not explain, or explains needlessly: {', '.join(sorted(unlike))}")
    if share < options.at_least:
        sys.exit(f"fewer than the {options.at_least} % that were reached before")


if __name__ == "__main__":
    main()
