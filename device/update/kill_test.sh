#!/usr/bin/env bash
# Why: the simulated flash is our own idea of a power cut. Here the real program, with the real SWUpdate, is killed at
# each of its system calls that write, and then started again: one whole release runs, and the log holds and is closed.
# kill_test.sh BUILD_DIR. Exit 77 when strace or SWUpdate is missing, or may not be used here.
set -euo pipefail
build=$1
skip() {
  echo "[  SKIPPED ] bedside_kill_test: needs $1"
  exit 77
}
command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || skip "strace"
[ -x /usr/bin/swupdate ] || skip "SWUpdate (Debian package swupdate)"
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"
update=$build/bedside-update
publish=("$build/bedside-publish" --repository "$home/repository" --keys "$home/keys")

device() { # a place for one device: its settings name only what is in it
  mkdir -p "$1/metadata" "$1/incoming"
  cat >"$1/settings.json" <<JSON
{"hardware": "bed-1", "repository": "file://$home/repository", "target": "monitor.swu", "metadata_dir": "$1/metadata",
 "incoming_dir": "$1/incoming", "records": "$1/records", "slot_a": "$home/now/slot-a", "slot_b": "$home/now/slot-b",
 "log": "$1/audit.log", "report_key": "$home/keys/timestamp.pem", "certificate": "$home/keys/package.crt", "seconds": 60}
JSON
}
"${publish[@]}" init --root-key r1 --root-key r2 --root-key r3
head -c 20000 /dev/urandom >image1
head -c 30000 /dev/urandom >image2
"${publish[@]}" release --image image2 --hardware bed-1 --version-text 2.0 --notes "quieter" --release 2 --slot-a "$home/now/slot-a" --slot-b "$home/now/slot-b"
device "$home/now"
truncate -s 40000 now/slot-a now/slot-b
truncate -s 8192 now/records
"$update" --settings now/settings.json provision --image image1 --release 1 --root repository/metadata/1.root.json
cp -a now before
offer=$("$update" --settings now/settings.json check | sed -n 's/^offer *//p')

# Which calls the program makes is read from a run of it; those that only look change nothing on the disk, so that a kill at one is a kill
# at the next that does change something. KILL_CALLS="..." names others, KILL_CALLS=all takes those that look as well.
looks='^(read|pread64|openat|open|close|mmap|munmap|mprotect|brk|fstat|newfstatat|lseek|access|faccessat|getrandom|getdents64|readlink|uname|prlimit64|arch_prctl|rseq|set_robust_list|set_tid_address|rt_sigaction|rt_sigprocmask|sigaltstack|fcntl|ioctl|poll|futex|getpid|getuid|geteuid|getgid|getegid|sched_getaffinity|sysinfo|gettimeofday|clock_gettime|clock_nanosleep|madvise|statfs|getcwd|umask|pipe2|dup2|socketpair|socket|connect|sendto|setsockopt|getsockopt|getsockname|eventfd2|epoll_create1|lstat|stat)$'
rm -rf now
cp -a before now
strace -qq -c -o calls "$update" --settings now/settings.json install --person nurse --offer "$offer" >/dev/null
made=$(awk '$NF ~ /^[a-z_0-9]+$/ && $1 ~ /^[0-9.]+$/ && $NF != "total" { print $NF }' calls | sort)
made=$(printf "%s\nexit_group\n" "$made") # never comes back, so it is not counted
[ "${KILL_CALLS:-}" = all ] && looks='^$' && KILL_CALLS=
grep -q . <<<"$made" || { echo "no calls were seen"; exit 1; }

old=0 new=0 kills=0 done_and_killed=0
echo "calls that change something: $(grep -vE "$looks" <<<"$made" | xargs)"
for call in ${KILL_CALLS:-$(grep -vE "$looks" <<<"$made")}; do
for ((n = 1; ; ++n)); do
  rm -rf now
  cp -a before now
  status=0
  { strace -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n \
    "$update" --settings now/settings.json install --person nurse --offer "$offer" >/dev/null; } 2>/dev/null || status=$?
  [ $status = 0 ] && break
  kills=$((kills + 1))
  finished=$(grep -c '"event":"installed","release":2' now/audit.log || true)
  runs=$("$update" --settings now/settings.json start) || { echo "killed at $call $n: nothing starts"; exit 1; }
  "$update" verify-log now/audit.log >/dev/null || { echo "killed at $call $n: the log does not hold"; exit 1; }
  case $runs in
    "slot 0 release 1")
      old=$((old + 1))
      cmp -n 20000 image1 now/slot-a
      [ "$finished" = 0 ] || { echo "killed at $call $n: the log had said installed, and the old release starts"; exit 1; }
      ! grep -q '"event":"installed"' now/audit.log || { echo "killed at $call $n: the log says installed, and the old release starts"; exit 1; } ;;
    "slot 1 release 2") new=$((new + 1)) done_and_killed=$((done_and_killed + finished)); cmp -n 30000 image2 now/slot-b; grep -q '"event":"installed","release":2' now/audit.log ;;
    *) echo "killed at $call $n: starts $runs"; exit 1 ;;
  esac
  open=$(($(grep -c '"event":"install-started"' now/audit.log || true) - $(grep -cE '"event":"(installed|failed)"' now/audit.log || true)))
  [ $open = 0 ] || { echo "killed at $call $n: an installation without an end in the log"; cat now/audit.log; exit 1; }
done
done
echo "killed at each of $kills calls: $old times the old release started, $new times the new one ($done_and_killed of them after the log had said so)"
# A kill between the flip and its line in the log, and one after both, are among them.
[ $old -gt 10 ] && [ $new -gt "$done_and_killed" ] && [ $done_and_killed -gt 0 ]
