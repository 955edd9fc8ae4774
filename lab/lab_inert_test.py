"""Why: a specimen that acts outside the closed box would be malware. Every program and script of the packages is
started without the marker and must refuse; one more program without the guard shows that the test can fail."""
import stat
import sys

import build
import inert


def check_package(package, failures):
    built = build.programs(package)
    tree = build.root_tree(package, built)
    tree.update({f"opt/{path}": node for path, node in build.opt_tree(package, built).items()})
    count = 0
    with inert.Place(tree) as place:
        for path, node in sorted(tree.items()):
            if path in ("opt/bin/monitor", "opt/bin/update"):
                status, words = place.start_program(path, "armel", place.root)
            elif stat.S_ISREG(node.mode) and node.content.startswith(b"#!"):
                status, words = place.start_script(path)
            else:
                continue
            count += 1
            if status != inert.REFUSED:
                failures.append(f"{package.file} {path}: {status} {words!r}")
        if package.clean:
            status, _ = place.start_program("usr/bin/verify-image", "armel", place.root)
            if status != 2:  # the one program without the guard: its usage line
                failures.append(f"{package.file}: verify-image without a guard ended with {status}, not 2")
    print(f"{package.file}: {count} started, all refused" if not failures else f"{package.file}: FAILED")


def main():
    why = inert.unavailable()
    if why:
        print(f"[  SKIPPED ] lab_inert_test: {why}")
        return 77
    failures = []
    for package in build.PACKAGES:
        check_package(package, failures)
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
