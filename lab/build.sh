#!/bin/sh
# Makes the lab's firmware packages: lab/build.sh OUTDIR. A second run with nothing changed takes a moment.
set -eu
[ $# -eq 1 ] || { echo "usage: lab/build.sh OUTDIR" >&2; exit 2; }
exec python3 -B "$(dirname "$0")/build.py" "$1"
