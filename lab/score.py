"""Holds an analyser's results to truth.json: score.py --biopsy PROGRAM DIR [--jobs N] [--details].

DIR is what ladder/make.py or stories/stories.py wrote. A planted half is found when a finding at or above
`severity_at_least` names the planted peer (or, where the story has none, one of its files); a twin or a quiet case is quiet
when nothing stands at high or above. Prints one line a rung (or story), the figure over all, and every miss by name.
"""
import argparse
import collections
import concurrent.futures
import json
import pathlib
import subprocess
import sys

LEVELS = ["info", "low", "medium", "high", "critical"]
HIGH = LEVELS.index("high")


def findings(program, archive):
    """The findings of one archive, or a sentence when the scan itself failed."""
    try:
        done = subprocess.run([program, "scan", archive, "--format", "json", "--output", "-", "--quiet"], capture_output=True, timeout=300)
        if done.returncode not in (0, 1, 4):
            return f"status {done.returncode}: {done.stderr.decode(errors='replace').strip()[:200]}"
        return json.loads(done.stdout)["findings"]
    except (subprocess.TimeoutExpired, ValueError, KeyError) as wrong:
        return f"{type(wrong).__name__}: {wrong}"


def level(finding):
    return LEVELS.index(finding["severity"])


def names_peer(finding, peer):
    return any(peer in (endpoint.get("address"), endpoint.get("host")) for endpoint in finding.get("endpoints", []))


def is_found(result, wanted, files):
    """`wanted` is the planted part of a ladder's truth or the `expected` of a story."""
    least = LEVELS.index(wanted.get("severity_at_least", "high"))
    peer = wanted.get("address") or wanted.get("host")
    for finding in result:
        if level(finding) >= least and (names_peer(finding, peer) if peer else set(files) & set(finding.get("files", []))):
            return True
    return False


def judge(program, folder, truth):
    """[(half, passed, words)] of one truth."""
    out = []
    wanted = truth.get("planted") or truth.get("expected", {})
    for half, archive in sorted(truth["files"].items()):
        result = findings(program, folder / archive)
        if isinstance(result, str):
            out.append((half, False, f"not scanned: {result}"))
        elif half == "planted":
            told = ", ".join(f"{finding['severity']} {finding['rule']}" for finding in result) or "nothing"
            out.append((half, is_found(result, wanted, wanted.get("files", [])), f"told: {told}"))
        else:
            loud = [f"{finding['severity']} {finding['rule']}" for finding in result if level(finding) >= HIGH]
            out.append((half, not loud, f"loud: {', '.join(loud)}"))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--biopsy", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--details", action="store_true", help="every half that failed, with what was told")
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    truths = [(path.name.removesuffix(".truth.json"), json.loads(path.read_text())) for path in sorted(options.folder.glob("*.truth.json"))]
    if not truths:
        raise SystemExit(f"no truth.json in {options.folder}")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        judged = list(pool.map(lambda each: judge(options.biopsy, options.folder, each[1]), truths))
    rows = collections.defaultdict(lambda: collections.Counter())
    failed = []
    for (name, truth), halves in zip(truths, judged):
        for half, passed, words in halves:
            kind = "found" if half == "planted" else "quiet"
            for row in ("all", truth.get("rung", name), *([f"{truth['rung']} {truth['abi']}"] if "rung" in truth else [])):
                rows[row][kind] += passed
                rows[row][kind + " of"] += 1
            if not passed:
                failed.append(f"{name} {half}: {words}")
    for row, counts in sorted(rows.items(), key=lambda item: (item[0] == "all", item[0])):
        print(f"{row:24} found {counts['found']:4}/{counts['found of']:<4} quiet {counts['quiet']:4}/{counts['quiet of']}")
    if options.details:
        print("\n".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
