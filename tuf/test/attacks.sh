#!/usr/bin/env bash
# attacks.sh CLIENT BUILD_DIR [WORD...]: installs the pinned npm packages into BUILD_DIR once, then attacks CLIENT.
# Exit 77 (skipped, with the reason) when the tools or the packages cannot be had.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
client=$1
home=$2
shift 2
skip() {
  echo "[  SKIPPED ] tuf_attacks: needs $1"
  exit 77
}
for tool in node npm faketime; do command -v "$tool" >/dev/null || skip "$tool"; done
mkdir -p "$home"
if ! cmp -s "$here/package-lock.json" "$home/installed-lock.json"; then
  cp "$here/package.json" "$here/package-lock.json" "$home/"
  (cd "$home" && npm ci --ignore-scripts --no-audit --no-fund >npm.log 2>&1) || { cat "$home/npm.log"; skip "the npm packages of tuf/test/package-lock.json"; }
  cp "$home/package-lock.json" "$home/installed-lock.json"
fi
TUF_CLIENT=$client TUF_NODE_MODULES=$home/node_modules exec node "$here/run.js" "$@"
