# Shared by the scripts beside it: settings, places, ports, and the processes of one stack.
#
# A stack is one instance (`main` for `make up` and `make demo`, `test` for `make test`): its own
# certificates, passwords, PostgreSQL, Redis, five services and ports, in a folder of its own.
# Nothing here is shared between instances, so a stack that is up is never disturbed by a test run.
# shellcheck shell=bash disable=SC2034

set -euo pipefail
export LC_ALL=C.UTF-8
umask 077

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
SCRIPTS=$ROOT/deploy/scripts

say() { printf '%s==>%s %s\n' "${BOLD:-}" "${PLAIN:-}" "$*"; }
note() { printf '    %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}
if [ -t 1 ]; then BOLD=$'\e[1m' PLAIN=$'\e[0m'; fi

# --- settings: the environment first, then (for `main` only) ONESHOT_* lines of .env -----------

INSTANCE=${ONESHOT_INSTANCE:-main}
[[ $INSTANCE =~ ^[a-z][a-z0-9]{0,15}$ ]] || die "ONESHOT_INSTANCE must be lower-case letters and digits"

if [ "$INSTANCE" = main ] && [ -r "$ROOT/.env" ]; then
  while IFS='=' read -r key value; do
    [[ $key =~ ^ONESHOT_[A-Z0-9_]+$ ]] || continue
    [ -n "${!key+set}" ] || export "$key=$value"
  done <"$ROOT/.env"
fi

# PostgreSQL's unprivileged user must reach its files whatever the permissions of the checkout
# are, hence /var/tmp; the hash keeps checkouts and users apart.
if [ -n "${ONESHOT_STATE_DIR:-}" ]; then
  STATE_ROOT=$ONESHOT_STATE_DIR
else
  hash=$(printf '%s:%s' "$ROOT" "$EUID" | sha256sum)
  STATE_ROOT=/var/tmp/oneshot-${hash:0:12}
fi
STATE=$STATE_ROOT/$INSTANCE
LOGS=$STATE_ROOT/logs/$INSTANCE
CERTS=$STATE/certs
SECRETS=$STATE/secrets
PROCESSES=$STATE/run
BINARIES=${ONESHOT_BINARIES:-$ROOT/.build/release}

# Creates the folders of this instance; refuses a folder that somebody else prepared for us.
make_state() {
  mkdir -p -m 711 "$STATE_ROOT"
  [ -O "$STATE_ROOT" ] && [ ! -L "$STATE_ROOT" ] ||
    die "$STATE_ROOT belongs to another user" "set ONESHOT_STATE_DIR to a folder of your own"
  mkdir -p -m 711 "$STATE"
  mkdir -p -m 700 "$STATE_ROOT/logs" "$LOGS" "$SECRETS" "$PROCESSES" "$STATE/store" "$STATE/env"
}

# One holder at a time for whatever changes an instance. What is to outlive the script must be
# started with 8>&- 9>&- (8 is the lock of a test run).
lock_instance() {
  make_state
  exec 9>"$STATE_ROOT/$INSTANCE.lock"
  flock -n 9 || die "another command is working on the '$INSTANCE' stack; try again when it is done"
}

# Prints the secret of that name, made on first use.
secret() {
  local file=$SECRETS/$1
  [ -s "$file" ] || openssl rand -hex 24 >"$file"
  cat "$file"
}

# --- the services and their ports --------------------------------------------------------------

# In the order in which they are started; stopped the other way round.
SERVICES=(billing auth gpu jobs edge)
declare -A EXECUTABLES=(
  [auth]=AuthSvc [billing]=BillingSvc [jobs]=JobSvc [gpu]=GPUGateway [edge]=EdgeProxy
)
declare -A DEFAULT_PORTS=(
  [EDGE]=8080 [EDGE_TLS]=8443 [EDGE_ADMIN]=9080
  [AUTH]=7101 [AUTH_ADMIN]=9101
  [BILLING]=7102 [BILLING_ADMIN]=9102
  [JOBS]=7103 [JOBS_ADMIN]=9103
  [GPU]=7104 [GPU_ADMIN]=9104
  [POSTGRES]=55432 [REDIS]=56379
)
declare -A PORTS=()

# Slot 0 has the documented ports; the others serve instances beside it, all below 32768: from there on
# the kernel gives ports to outgoing connections, and one of those would keep a server from starting.
port_of_slot() {
  local name=$1 slot=$2 base=${DEFAULT_PORTS[$1]}
  case "$slot:$name" in
    0:*) echo "$base" ;;
    *:POSTGRES | *:REDIS) echo $((base - 31000 + slot)) ;;
    *) echo $((base + 9900 + 100 * slot)) ;;
  esac
}

# Prints the TCP ports that somebody listens on, one a line.
listening_ports() {
  local hex
  awk '$4 == "0A" { n = split($2, part, ":"); print part[n] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    sort -u | while read -r hex; do echo $((16#$hex)); done
}

# Fills PORTS. `main` takes ONESHOT_PORT_<NAME>; another instance takes the first free slot and
# keeps it in its folder.
load_ports() {
  local name slot variable taken
  if [ "$INSTANCE" = main ]; then
    for name in "${!DEFAULT_PORTS[@]}"; do
      variable=ONESHOT_PORT_$name
      PORTS[$name]=${!variable:-${DEFAULT_PORTS[$name]}}
      [[ ${PORTS[$name]} =~ ^[0-9]{1,5}$ ]] && ((PORTS[$name] > 0 && PORTS[$name] < 65536)) ||
        die "$variable must be a port number, not '${PORTS[$name]}'"
    done
    return
  fi
  if [ ! -s "$STATE/slot" ]; then
    make_state
    taken=" $(listening_ports | tr '\n' ' ') "
    for slot in {1..40}; do
      for name in "${!DEFAULT_PORTS[@]}"; do
        [[ $taken != *" $(port_of_slot "$name" "$slot") "* ]] || continue 2
      done
      echo "$slot" >"$STATE/slot"
      break
    done
    [ -s "$STATE/slot" ] || die "no free range of ports for the '$INSTANCE' stack"
  fi
  slot=$(<"$STATE/slot")
  for name in "${!DEFAULT_PORTS[@]}"; do PORTS[$name]=$(port_of_slot "$name" "$slot"); done
}

# Fails, naming each taken port of the given names and the key that changes it.
require_free_ports() {
  local name taken lines=()
  taken=" $(listening_ports | tr '\n' ' ') "
  for name in "$@"; do
    [[ $taken != *" ${PORTS[$name]} "* ]] ||
      lines+=("port ${PORTS[$name]} is in use by another program: set ONESHOT_PORT_$name to a free one")
  done
  [ ${#lines[@]} -eq 0 ] ||
    die "cannot start" "${lines[@]}" "(in the environment or in the file .env of the checkout)"
}

# --- processes that we started, and only those -------------------------------------------------

# Prints the start time (clock ticks since boot) of a process; fails when there is none.
start_time() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -ra fields <<<"${stat##*) }"
  [ "${fields[0]}" != Z ] || return 1
  echo "${fields[19]}"
}

# Prints the pid of the process recorded under a name if that very process still lives. A pid
# alone is not enough: the kernel gives it to somebody else one day.
process_of() {
  local pid started
  read -r pid started 2>/dev/null <"$PROCESSES/$1.pid" || return 1
  [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# start_process <name> <command…>: in a session of its own, logging to <name>.log, recorded.
start_process() {
  local name=$1 pid
  shift
  setsid "$@" </dev/null >>"$LOGS/$name.log" 2>&1 8>&- 9>&- &
  pid=$!
  disown "$pid"
  echo "$pid $(start_time "$pid" || echo 0)" >"$PROCESSES/$name.pid"
}

# stop_process <name> <seconds>: asks first, then kills; takes left-over children with it.
stop_process() {
  local name=$1 seconds=$2 pid started step
  [ -e "$PROCESSES/$name.pid" ] || return 0
  read -r pid started <"$PROCESSES/$name.pid" || pid=
  if pid=$(process_of "$name"); then
    kill -TERM "$pid" 2>/dev/null || true
    for ((step = 0; step < seconds * 20; step++)); do
      process_of "$name" >/dev/null || break
      sleep 0.05
    done
    if process_of "$name" >/dev/null; then
      warn "$name did not stop within $seconds seconds and is killed"
      kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  read -r pid started <"$PROCESSES/$name.pid" || pid=
  [ -z "$pid" ] || kill_orphans "$pid"
  rm -f "$PROCESSES/$name.pid"
}

# kill_process <name>: as a crash would end it. Returns when it is gone.
kill_process() {
  local pid
  pid=$(process_of "$1") || return 1
  kill -KILL "$pid"
  gone() { ! process_of "$1" >/dev/null; }
  wait_until 10 gone "$1"
}

# Kills what is left of the session that a service led. While a member lives the kernel does not
# reuse the number of its session, and a process of ours runs one of our binaries.
kill_orphans() {
  local stat fields directory member
  for directory in /proc/[0-9]*; do
    stat=$(cat "$directory/stat" 2>/dev/null) || continue
    read -ra fields <<<"${stat##*) }"
    [ "${fields[3]}" = "$1" ] || continue
    member=${directory#/proc/}
    [[ $(readlink "$directory/exe" 2>/dev/null) == "$(readlink -f "$BINARIES")"/* ]] || continue
    kill -KILL "$member" 2>/dev/null || true
  done
}

# wait_until <seconds> <command…>: true as soon as the command is.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# Prints the end of a log, indented, for an error message.
last_lines() {
  [ -s "$LOGS/$1.log" ] || return 0
  printf '       last lines of %s:\n' "$LOGS/$1.log" >&2
  tail -n "${2:-15}" "$LOGS/$1.log" | sed 's/^/       | /' >&2
}
