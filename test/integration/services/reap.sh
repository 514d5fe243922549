#!/usr/bin/env bash
# reap.sh PID DIR: stops the services under DIR, and deletes DIR, as soon as process PID is gone.
# A test process that is killed cannot stop what it started; without this, each such run would leave a JVM behind.
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OWNER=$1 DIR=$2
while [[ -d /proc/$OWNER && -d $DIR ]]; do sleep 1; done
[[ -d $DIR ]] || exit 0
"$HERE/kafka.sh" stop --dir "$DIR/kafka"
"$HERE/bigtable.sh" stop --dir "$DIR/bigtable"
rmdir "$DIR"
