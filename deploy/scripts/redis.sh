#!/usr/bin/env bash
# The private Redis of a stack: start | stop | status | kill | cli [arguments] | url
#
# It holds rates, revocations and progress, never the only copy of anything, so nothing is saved.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
load_ports

PORT=${PORTS[REDIS]}
HOME_DIR=$STATE/redis

cli() { REDISCLI_AUTH=$(secret redis) redis-cli --no-auth-warning -s "$HOME_DIR/redis.sock" "$@"; }
answers() { [ "$(cli ping 2>/dev/null)" = PONG ]; }

start() {
  command -v redis-server >/dev/null || die "Redis is not installed" "run: make deps"
  make_state
  ! process_of redis >/dev/null || { note "Redis already runs on port $PORT" && return; }
  require_free_ports REDIS
  mkdir -p -m 700 "$HOME_DIR"
  cat >"$HOME_DIR/redis.conf" <<CONF
bind 127.0.0.1
port $PORT
unixsocket $HOME_DIR/redis.sock
unixsocketperm 700
requirepass $(secret redis)
dir $HOME_DIR
daemonize no
save ""
appendonly no
maxmemory 512mb
maxmemory-policy noeviction
CONF
  start_process redis redis-server "$HOME_DIR/redis.conf"
  wait_until 15 answers && return
  last_lines redis
  stop_process redis 5
  die "Redis did not start"
}

case ${1:-} in
  start) start ;;
  stop) stop_process redis 10 ;;
  status) process_of redis ;;
  kill) kill_process redis || die "Redis does not run" ;;
  cli) shift; cli "$@" ;;
  url) echo "redis://:$(secret redis)@127.0.0.1:$PORT/0" ;;
  *) die "usage: redis.sh start | stop | status | kill | cli [arguments] | url" ;;
esac
