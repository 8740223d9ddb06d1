#!/usr/bin/env bash
# One service of a stack:
#   service.sh start | launch | await | stop | restart | kill | health | status | env  <name>
#   service.sh ctl [arguments]      runs the operators' tool `oneshot` against this stack
#
# `start` waits until the service is ready, `launch` does not. Any key of a service can be set
# without touching its template: ONESHOT_GPU_PROVIDERS=simulator sets PROVIDERS of gpu. A service
# sees nothing of the caller's environment but its own file.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
load_ports

READY_SECONDS=${ONESHOT_READY_SECONDS:-30}
ACTION=${1:-}
NAME=${2:-}

# Writes the environment file of a service from its template, the stack's values and overrides.
render() {
  local name=$1 file=$STATE/env/$1.env line key value override prefix=ONESHOT_${1^^}_
  declare -A values=(
    [LOOPS]=${ONESHOT_LOOPS:-0} [CERTS]=$CERTS [STORE]=$STATE/store [BINARIES]=$BINARIES
    [PUBLIC_BASE_URL]=${ONESHOT_PUBLIC_BASE_URL:-http://127.0.0.1:${PORTS[EDGE]}}
    [PASSWORD_REDIS]=$(secret redis)
  )
  for key in "${!PORTS[@]}"; do values[PORT_$key]=${PORTS[$key]}; done
  for key in auth billing jobs gpu ctl; do values[PASSWORD_${key^^}]=$(secret "pg_$key"); done

  make_state
  while IFS= read -r line; do
    [[ $line =~ ^[A-Z] ]] || continue
    key=${line%%=*}
    override=$prefix$key
    if [ -n "${!override+set}" ]; then
      value=${!override}
    else
      value=${line#*=}
      while [[ $value =~ @([A-Z_]+)@ ]]; do
        [ -n "${values[${BASH_REMATCH[1]}]+set}" ] ||
          die "$name.env.template names @${BASH_REMATCH[1]}@, which the stack does not have"
        value=${value//"${BASH_REMATCH[0]}"/"${values[${BASH_REMATCH[1]}]}"}
      done
    fi
    echo "$key=$value"
  done <"$ROOT/deploy/env/$name.env.template" >"$file"
  # Keys that the template leaves at their default may be set as well.
  for override in $(compgen -v "$prefix"); do
    key=${override#"$prefix"}
    grep -q "^$key=" "$file" || echo "$key=${!override}" >>"$file"
  done
  echo "$file"
}

admin_port() { echo "${PORTS[${1^^}_ADMIN]}"; }

# Prints /readyz; true when the service says that it is ready.
health() { curl -sf -m 2 "http://127.0.0.1:$(admin_port "$1")/readyz"; }
ready_or_dead() { health "$1" >/dev/null 2>&1 || ! process_of "$1" >/dev/null; }

launch() {
  local name=$1 binary=$BINARIES/${EXECUTABLES[$1]} names=("${1^^}" "${1^^}_ADMIN") file
  ! process_of "$name" >/dev/null || die "$name already runs"
  [ -x "$binary" ] || die "$binary is missing" "build it first: make release"
  [ "$name" != edge ] || names+=(EDGE_TLS)
  stop_process "$name" 0
  require_free_ports "${names[@]}"
  file=$(render "$name")
  cd "$STATE"
  start_process "$name" env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 HOME="$STATE" \
    ONESHOT_ENV_FILE="$file" "$binary"
}

await() {
  wait_until "$READY_SECONDS" ready_or_dead "$1" && health "$1" >/dev/null 2>&1 && return
  if process_of "$1" >/dev/null; then
    printf 'error: %s is not ready after %s seconds\n' "$1" "$READY_SECONDS" >&2
    health "$1" >&2 || curl -s -m 2 "http://127.0.0.1:$(admin_port "$1")/readyz" | sed 's/^/       /' >&2 || true
  else
    printf 'error: %s stopped while it started\n' "$1" >&2
  fi
  last_lines "$1"
  return 1
}

if [ "$ACTION" = ctl ]; then
  shift
  file=$(render ctl)
  exec env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 TERM="${TERM:-dumb}" ONESHOT_ENV_FILE="$file" \
    "$BINARIES/oneshot" "$@"
fi

[ -n "$NAME" ] && { [ "$NAME" = ctl ] || [ -n "${EXECUTABLES[$NAME]+set}" ]; } ||
  die "usage: service.sh start|launch|await|stop|restart|kill|health|status|env NAME" "services: ${SERVICES[*]}"
case $ACTION in
  start) launch "$NAME" && await "$NAME" ;;
  launch) launch "$NAME" ;;
  await) await "$NAME" ;;
  stop) stop_process "$NAME" 15 ;;
  restart) stop_process "$NAME" 15 && launch "$NAME" && await "$NAME" ;;
  kill) kill_process "$NAME" || die "$NAME does not run" ;;
  health) health "$NAME" || die "$NAME is not ready" ;;
  status) process_of "$NAME" ;;
  env) render "$NAME" ;;
  *) die "unknown action '$ACTION'" ;;
esac
