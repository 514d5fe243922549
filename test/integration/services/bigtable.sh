#!/usr/bin/env bash
# Google's Bigtable emulator (in memory) out of the jar on Maven Central: no Docker, no root, no Java to run it.
#   bigtable.sh install                        fetch the binary (19 MB) into the cache, once
#   bigtable.sh start  [--port P] [--dir D]    start afresh, wait until it listens, print its address
#   bigtable.sh stop   [--dir D]               stop it and delete D
#   bigtable.sh status [--dir D]               whether it runs; exit 1 if not
# D holds its pid and log. Only the process recorded there is ever signalled.
# The binary is started directly: started through gcloud, it would outlive a killed gcloud.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NAME=bigtable.sh
# shellcheck source=common.sh
source "$HERE/common.sh"
VERSION=${BIGTABLE_EMULATOR_VERSION:-0.220.0}
BINARY=$CACHE/bigtable-emulator-$VERSION

usage() { sed -n '2,6s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
COMMAND=${1:-}; shift || usage
PORT=18086 D=${TMPDIR:-/tmp}/sluice-bigtable
while (($#)); do
  [[ $# -ge 2 ]] || usage
  case $1 in --dir) D=$2 ;; --port) PORT=$2 ;; *) usage ;; esac
  shift 2
done

fetch_binary() {
  [[ -x $BINARY ]] && return 0
  need_java # Maven runs on it
  need mvn maven
  need unzip unzip
  local machine part=$BINARY.part
  case $(uname -m) in
    x86_64) machine=linux-x86_64 ;;
    aarch64 | arm64) machine=linux-arm ;;
    *) fail "there is no emulator for $(uname -m) in the jar" ;;
  esac
  rm -rf "$part"
  mkdir -p "$part"
  maven "the Bigtable emulator $VERSION" dependency:copy \
    -Dartifact="com.google.cloud:google-cloud-bigtable-emulator:$VERSION" -DoutputDirectory="$part"
  unzip -q -j "$part"/*.jar "gcloud/bigtable-$machine/platform/bigtable-emulator/cbtemulator" -d "$part"
  chmod +x "$part/cbtemulator"
  mv "$part/cbtemulator" "$BINARY"
  rm -rf "$part"
}

alive() { runs "$D/pid" "$BINARY"; }

stop() {
  local t
  ! alive || kill "$(<"$D/pid")"
  for ((t = 0; t < 100; t++)); do alive || return 0; sleep 0.05; done
  say "it did not stop within 5 s: SIGKILL"
  kill -KILL "$(<"$D/pid")"
}

start() {
  local t
  stop
  own_dir "$D"
  await_free "$PORT"
  # shellcheck disable=SC2016
  (exec setsid bash -c 'echo $$ >"$1"; shift; exec "$@"' _ "$D/pid" "$BINARY" -host=127.0.0.1 -port="$PORT" </dev/null >"$D/log" 2>&1) &
  for ((t = 0; t < 200; t++)); do
    if port_used "$PORT"; then echo "127.0.0.1:$PORT"; return 0; fi
    if ((t > 20)) && ! alive; then cat "$D/log" >&2; fail "the emulator died while starting; its log is above"; fi
    sleep 0.05
  done
  cat "$D/log" >&2
  fail "the emulator did not listen within 10 s; its log is above"
}

case $COMMAND in
  install) exclusively fetch_binary ;;
  start) exclusively fetch_binary; start ;;
  stop) stop; drop_dir "$D" ;;
  status) if alive; then echo "runs, pid $(<"$D/pid")"; else echo "down"; exit 1; fi ;;
  *) usage ;;
esac
