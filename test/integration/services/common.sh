# Sourced by kafka.sh and bigtable.sh: messages, what must be installed, the cache, ports. Linux only (/proc, setsid, flock).
# The caller has set NAME, for messages.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sluice

say() { echo "$NAME: $*" >&2; }
fail() { say "$*"; exit 1; }

need() { # command, Debian package
  command -v "$1" >/dev/null || fail "'$1' is not installed; on Debian: apt-get install $2 (elsewhere: whatever brings '$1')"
}

need_java() { # Kafka 4 runs on Java 17 or newer
  need java openjdk-17-jre-headless
  local found
  found=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [[ ${found:-0} -ge 17 ]] || fail "Java ${found:-of unknown version} found, 17 or newer is needed; on Debian: apt-get install openjdk-17-jre-headless"
}

# Two installs at once would write into each other's files: the second waits, then finds the first one's result.
exclusively() { # function
  mkdir -p "$CACHE"
  exec 9>"$CACHE/.lock"
  flock 9
  "$1"
  exec 9>&-
}

maven() { # what is fetched, arguments…: quiet unless it fails
  local what=$1 log=$CACHE/maven.log
  shift
  say "fetching $what with Maven into $CACHE"
  mvn -B -q "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "Maven could not fetch $what; its message is above"; }
  rm -f "$log"
}

port_used() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

await_free() { # port: a killed process is gone from /proc a little before its sockets close
  local t
  for ((t = 0; t < 50; t++)); do port_used "$1" || return 0; sleep 0.1; done
  fail "port $1 is taken; choose another with --port"
}

# A process is ours only if its command line says so: a pid in a file may long belong to somebody else.
runs() { # pid file, text of the command line
  local pid
  [[ -s $1 ]] && pid=$(<"$1") && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

own_dir() { # dir: create it empty, or refuse to wipe what is not ours
  [[ ! -e $1 || -e $1/.sluice-service ]] || fail "$1 exists and was not made by this script; choose another with --dir"
  rm -rf "$1"
  mkdir -p "$1"
  touch "$1/.sluice-service"
}

drop_dir() { [[ ! -e $1/.sluice-service ]] || rm -rf "$1"; }
