#!/usr/bin/env bash
# Real Apache Kafka (KRaft, every node broker and controller) from the jars on Maven Central: no Docker, no root.
#   kafka.sh install                                       fetch the jars (43 MB) into the cache, once
#   kafka.sh start  [--brokers 1|3] [--port P] [--dir D] [--set key=value]...   empty D, format, start, wait, print the addresses
#   kafka.sh stop   [--graceful] [--dir D]                 stop (SIGKILL unless --graceful) and delete D
#   kafka.sh status [--dir D]                              which nodes run; exit 1 unless all do
#   kafka.sh kill N [--graceful] [--dir D]                 SIGKILL node N, or SIGTERM and wait until it is gone
#   kafka.sh boot N [--dir D]                              start it again on its old data
#   kafka.sh freeze N | thaw N [--dir D]                   SIGSTOP node N, its sockets stay open; SIGCONT
#     --secure DIR with server.pem (key and certificate), ca.pem and users (a line each: NAME PASSWORD): SASL_SSL for them too
# Node i listens on P+i-1, its controller on P+i+99. Ports from 32768 on collide with those of outgoing connections.
# With --secure on P+i+199 for SASL_SSL, P+i+299 for TLS with client certificates, P+i+399 with expired.pem if that is there.
# What is in D is lost at start and stop. Only processes recorded in D are ever signalled.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
NAME=kafka.sh
# shellcheck source=common.sh
source "$HERE/common.sh"
VERSION=${KAFKA_VERSION:-4.4.0}
LIB=$CACHE/kafka-$VERSION
ARCHIVE=$CACHE/kafka-$VERSION.jsa
HEAP=${KAFKA_HEAP:-384m}

usage() { sed -n '2,11s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }
COMMAND=${1:-}; shift || usage
NODE=
case $COMMAND in kill | boot | freeze | thaw) NODE=${1:-}; [[ $NODE =~ ^[0-9]+$ ]] || usage; shift ;; esac
NODES=1 PORT=19092 SIGNAL=KILL EXTRA= SECURE= D=${TMPDIR:-/tmp}/sluice-kafka
while (($#)); do
  [[ $1 == --graceful || $# -ge 2 ]] || usage
  case $1 in
    --brokers) NODES=$2 ;;
    --dir) D=$2 ;;
    --port) PORT=$2 ;;
    --secure) SECURE=$2 ;;
    --set) EXTRA+="$2"$'\n' ;;
    --graceful) SIGNAL=TERM; shift; continue ;;
    *) usage ;;
  esac
  shift 2
done

fetch_jars() {
  if [[ ! -d $LIB ]]; then
    need mvn maven
    rm -rf "$LIB.part"
    maven "Kafka $VERSION" -f "$HERE/pom.xml" -Dkafka.version="$VERSION" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$LIB.part"
    mv "$LIB.part" "$LIB"
  fi
  [[ -f $ARCHIVE || -f $ARCHIVE.failed ]] || archive_classes
}

# One throw-away broker writes a class-data archive, and later starts are quicker. Java takes an archive only for the
# very class path it was written with, hence after the jars have come to their final place.
archive_classes() {
  local warm=$LIB.warm port=$((20000 + $$ % 5000))
  if KAFKA_ARCHIVING=1 KAFKA_JVM_OPTS="-XX:ArchiveClassesAtExit=$ARCHIVE.part" "$0" start --dir "$warm" --port $port >/dev/null \
    && KAFKA_ARCHIVING=1 "$0" stop --graceful --dir "$warm" && mv "$ARCHIVE.part" "$ARCHIVE"; then return 0; fi
  touch "$ARCHIVE.failed"
  say "no class-data archive; starting only takes longer"
}

java_options() {
  echo "-XX:+UseSerialGC -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off -Djava.awt.headless=true"
  echo "-Dlog4j2.configurationFile=$HERE/log4j2.properties"
  [[ ! -f $ARCHIVE ]] || echo "-XX:SharedArchiveFile=$ARCHIVE"
}

properties_of() { echo "$D/node-$1/server.properties"; }
alive() { runs "$D/node-$1/pid" "$(properties_of "$1")"; }
nodes() { [[ ! -d $D ]] || find "$D" -maxdepth 1 -name 'node-*' | sed 's/.*node-//' | sort -n; }

boot() { # node; leaves its pid in D/node-i/pid
  local folder=$D/node-$1
  : >"$folder/log"
  # shellcheck disable=SC2016,SC2046,SC2086
  (cd "$folder" && exec setsid bash -c 'echo $$ >"$1"; shift; exec "$@"' _ "$folder/pid" \
    java -Xmx"$HEAP" -Xms"$HEAP" -XX:+ExitOnOutOfMemoryError $(java_options) ${KAFKA_JVM_OPTS:-} \
    -cp "$LIB/*" kafka.Kafka "$(properties_of "$1")" </dev/null >>"$folder/log" 2>&1) &
}

await() { # node; the line comes when the broker is registered and serves
  local folder=$D/node-$1 t
  for ((t = 0; t < 1200; t++)); do
    grep -q 'Kafka Server started' "$folder/log" 2>/dev/null && return 0
    if ((t > 40)) && ! alive "$1"; then tail -n 20 "$folder/log" >&2; fail "node $1 died while starting; the end of its log is above"; fi
    sleep 0.05
  done
  tail -n 20 "$folder/log" >&2
  stop_nodes
  fail "node $1 was not ready within 60 s; the end of its log is above"
}

stop_nodes() {
  local i t
  for i in $(nodes); do ! alive "$i" || kill -"$SIGNAL" "$(<"$D/node-$i/pid")"; done
  for i in $(nodes); do
    for ((t = 0; t < 600; t++)); do alive "$i" || break; sleep 0.05; done
    if alive "$i"; then say "node $i did not stop within 30 s: SIGKILL"; kill -KILL "$(<"$D/node-$i/pid")"; sleep 0.2; fi
  done
}

signal_node() { # signal, without SIG
  alive "$NODE" || fail "node $NODE does not run"
  kill -"$1" "$(<"$D/node-$NODE/pid")"
}

# Events of the examples are years old: retention, which looks every five minutes, would delete them under a test.
configure() { # node, voters
  local in_sync=$((NODES > 1 ? 2 : 1)) graceful=$([[ $NODES -gt 1 ]] && echo true || echo false)
  mkdir -p "$D/node-$1"
  cat >"$(properties_of "$1")" <<EOF
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$2
listeners=PLAINTEXT://127.0.0.1:$((PORT + $1 - 1)),CONTROLLER://127.0.0.1:$((PORT + $1 + 99))
advertised.listeners=PLAINTEXT://127.0.0.1:$((PORT + $1 - 1))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$D/node-$1/data
auto.create.topics.enable=false
default.replication.factor=$NODES
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$NODES
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=$NODES
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=8
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor=$NODES
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=100
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
log.segment.bytes=268435456
log.retention.ms=-1
controlled.shutdown.enable=$graceful
EOF
  [[ -z $SECURE ]] || secure "$1" >>"$(properties_of "$1")"
  printf '%s' "$EXTRA" >>"$(properties_of "$1")"
}

# Of what stands twice in the file, the last counts.
secure() { # node
  local base=$((PORT + $1 - 1)) name password plain= expired=$SECURE/expired.pem
  while read -r name password; do plain+=" user_$name=\"$password\""; done <"$SECURE/users"
  [[ -f $expired ]] || expired=$SECURE/server.pem
  local jaas=org.apache.kafka.common.security listener=listener.name.sasl_ssl
  local bearer=$jaas.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler
  local at=PLAINTEXT://127.0.0.1:$base,SASL_SSL://127.0.0.1:$((base + 200)),MUTUAL://127.0.0.1:$((base + 300)),EXPIRED://127.0.0.1:$((base + 400))
  cat <<EOF
listeners=$at,CONTROLLER://127.0.0.1:$((base + 100))
advertised.listeners=$at
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,MUTUAL:SSL,EXPIRED:SSL
ssl.keystore.type=PEM
ssl.keystore.location=$SECURE/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$SECURE/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.expired.ssl.keystore.location=$expired
$listener.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
$listener.plain.sasl.jaas.config=$jaas.plain.PlainLoginModule required$plain;
$listener.scram-sha-256.sasl.jaas.config=$jaas.scram.ScramLoginModule required;
$listener.scram-sha-512.sasl.jaas.config=$jaas.scram.ScramLoginModule required;
$listener.oauthbearer.sasl.jaas.config=$jaas.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="nobody";
$listener.oauthbearer.sasl.server.callback.handler.class=$bearer
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
EOF
}

scram_users() { # options for StorageTool, one a user and mechanism
  local name password mechanism
  [[ -n $SECURE ]] || return 0
  while read -r name password; do
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do echo "--add-scram $mechanism=[name=$name,password=$password]"; done
  done <"$SECURE/users"
}

format() { # cluster id, node
  # shellcheck disable=SC2046
  java -Xmx64m -XX:TieredStopAtLevel=1 $(java_options) -cp "$LIB/*" kafka.tools.StorageTool \
    format -t "$1" -c "$(properties_of "$2")" $(scram_users) >"$D/node-$2/format.log" 2>&1
}

start() {
  local i p voters= cluster jobs=() addresses=
  stop_nodes
  own_dir "$D"
  for ((i = 1; i <= NODES; i++)); do
    await_free $((PORT + i - 1))
    await_free $((PORT + i + 99))
    [[ -z $SECURE ]] || for ((p = 199; p < 400; p += 100)); do await_free $((PORT + i + p)); done
    voters+=${voters:+,}$i@127.0.0.1:$((PORT + i + 99))
    addresses+=${addresses:+,}127.0.0.1:$((PORT + i - 1))
  done
  cluster=A$(head -c 15 /dev/urandom | base64 | tr '+/' '-_')A # 22 characters of base64url
  for ((i = 1; i <= NODES; i++)); do configure "$i" "$voters"; format "$cluster" "$i" & jobs[i]=$!; done
  for ((i = 1; i <= NODES; i++)); do
    wait "${jobs[i]}" || { cat "$D/node-$i/format.log" >&2; fail "node $i could not be formatted; the message is above"; }
    boot "$i"
  done
  for ((i = 1; i <= NODES; i++)); do await "$i"; done
  echo "$addresses"
}

prepare() {
  need_java
  [[ -n ${KAFKA_ARCHIVING:-} ]] || exclusively fetch_jars # while archiving, our caller has the jars and the lock
}

case $COMMAND in
  install) prepare ;;
  start) prepare; start ;;
  stop) stop_nodes; drop_dir "$D" ;;
  status)
    code=1
    for i in $(nodes); do code=0; done
    for i in $(nodes); do if alive "$i"; then echo "node $i runs, pid $(<"$D/node-$i/pid")"; else echo "node $i is down"; code=1; fi; done
    exit $code
    ;;
  kill)
    signal_node "$SIGNAL"
    for ((t = 0; t < 1200; t++)); do alive "$NODE" || exit 0; sleep 0.05; done
    fail "node $NODE did not end within 60 s of SIG$SIGNAL"
    ;;
  freeze) signal_node STOP ;;
  thaw) signal_node CONT ;;
  boot) ! alive "$NODE" || fail "node $NODE runs already"; prepare; boot "$NODE"; await "$NODE" ;;
  *) usage ;;
esac
