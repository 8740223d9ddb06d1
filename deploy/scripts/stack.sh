#!/usr/bin/env bash
# The whole stack: stack.sh up | down [--keep] | status | logs [names…] | running | info
#
# `up` either leaves everything ready or nothing running. `down` leaves no process and no data
# behind (with --keep, the data stays for the next `up`); logs stay until the next `up`.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
load_ports

service() { "$SCRIPTS/service.sh" "$@" 9>&-; }
running() {
  local name pid
  ! "$SCRIPTS/postgres.sh" status >/dev/null || echo postgres
  for name in redis "${SERVICES[@]}"; do ! process_of "$name" >/dev/null || echo "$name"; done
}

up() {
  local alive name elapsed=$SECONDS
  lock_instance
  alive=$(running | tr '\n' ' ')
  [ -z "$alive" ] || die "the stack of this checkout is already up ($alive)" \
    "see it with: make status" "stop it with: make down"
  for name in "${SERVICES[@]}"; do
    [ -x "$BINARIES/${EXECUTABLES[$name]}" ] ||
      die "$BINARIES/${EXECUTABLES[$name]} is missing" "build it first: make release"
  done
  require_free_ports "${!DEFAULT_PORTS[@]}"
  rm -f "$LOGS"/*.log
  "$SCRIPTS/certs.sh" 9>&-

  trap 'trap - EXIT; warn "stopping what was started"; stop_everything' EXIT
  say "starting PostgreSQL (port ${PORTS[POSTGRES]}) and Redis (port ${PORTS[REDIS]})"
  "$SCRIPTS/postgres.sh" start
  "$SCRIPTS/redis.sh" start 9>&-
  say "starting ${SERVICES[*]}"
  for name in "${SERVICES[@]}"; do service launch "$name" || exit 1; done
  for name in "${SERVICES[@]}"; do service await "$name" || exit 1; done
  trap - EXIT
  say "ready after $((SECONDS - elapsed)) seconds: http://127.0.0.1:${PORTS[EDGE]}"
}

stop_everything() {
  local index
  for ((index = ${#SERVICES[@]} - 1; index >= 0; index--)); do
    stop_process "${SERVICES[index]}" 15
  done
  "$SCRIPTS/redis.sh" stop 9>&-
  "$SCRIPTS/postgres.sh" stop
}

down() {
  lock_instance
  [ -z "$(running)" ] || say "stopping the '$INSTANCE' stack"
  stop_everything
  if [ "${1:-}" != --keep ]; then rm -rf "${STATE:?}"; fi
}

status() {
  local name pid healthy all=0
  printf '%-10s %-8s %-7s %s\n' NAME PID PORT STATE
  for name in postgres redis "${SERVICES[@]}"; do
    if [ "$name" = postgres ]; then pid=$("$SCRIPTS/postgres.sh" status) || pid=; else pid=$(process_of "$name") || pid=; fi
    healthy=down
    if [ -n "$pid" ]; then
      healthy=running
      [ -z "${EXECUTABLES[$name]+set}" ] ||
        { service health "$name" >/dev/null 2>&1 && healthy=ready || healthy='not ready'; }
    fi
    [ "$healthy" = ready ] || [ "$healthy" = running ] || all=1
    printf '%-10s %-8s %-7s %s\n' "$name" "${pid:--}" "${PORTS[${name^^}]}" "$healthy"
  done
  return "$all"
}

logs() {
  local name files=()
  for name in "$@"; do files+=("$LOGS/$name.log"); done
  [ ${#files[@]} -gt 0 ] || files=("$LOGS"/*.log)
  [ -e "${files[0]}" ] || die "no logs yet" "start the stack with: make up"
  if [ -n "${FOLLOW:-}" ]; then exec tail -n 20 -F "${files[@]}"; fi
  tail -n "${LINES_SHOWN:-40}" "${files[@]}"
}

# Places and ports as KEY=value lines, for programs that work on the stack.
info() {
  local name
  printf '%s\n' "STATE=$STATE" "LOGS=$LOGS" "CERTS=$CERTS" "BINARIES=$BINARIES"
  for name in "${!PORTS[@]}"; do echo "PORT_$name=${PORTS[$name]}"; done
}

case ${1:-} in
  up) up ;;
  down) shift; down "$@" ;;
  status) status ;;
  logs) shift; logs "$@" ;;
  info) info ;;
  running) [ -n "$(running)" ] ;;
  *) die "usage: stack.sh up | down [--keep] | status | logs [names] | running | info" ;;
esac
