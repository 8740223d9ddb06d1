#!/usr/bin/env bash
# The private PostgreSQL of a stack: start | stop | status | kill | psql [arguments] | test-url
#
# PostgreSQL refuses to run as root, so root hands the cluster to the user `postgres` (or to
# ONESHOT_PG_USER); anybody else runs it as themselves. The superuser comes in by the socket as
# that same user; services come in with the password of their own role.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
load_ports

PORT=${PORTS[POSTGRES]}
HOME_DIR=$STATE/pg
DATA=$HOME_DIR/data
SOCKET=$HOME_DIR/socket
OWNER=$(id -un)
[ "$EUID" -ne 0 ] || OWNER=${ONESHOT_PG_USER:-postgres}
BIN=${ONESHOT_PG_BIN:-$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)}

# Runs a command as the owner of the cluster, from a folder that everybody may enter.
as_owner() (
  cd /
  if [ "$EUID" -eq 0 ]; then exec runuser -u "$OWNER" -- "$@"; else exec "$@"; fi
)
psql() { as_owner "$BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$SOCKET" -p "$PORT" -U "$OWNER" "$@"; }

# The postmaster of this data folder, if it lives.
postmaster() {
  local pid
  read -r pid 2>/dev/null <"$DATA/postmaster.pid" || return 1
  [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$DATA" ] && echo "$pid"
}
accepting() { as_owner "$BIN/pg_isready" -q -h "$SOCKET" -p "$PORT"; }

create_cluster() {
  say "creating the PostgreSQL cluster (user $OWNER, $DATA)"
  rm -rf "$DATA" "$DATA.new"
  as_owner "$BIN/initdb" -D "$DATA.new" -U "$OWNER" -E UTF8 --locale=C.UTF-8 \
    --auth-local=peer --auth-host=reject \
    >"$LOGS/initdb.log" 2>&1 || { last_lines initdb; die "initdb failed"; }
  as_owner tee "$DATA.new/pg_hba.conf" >/dev/null <<HBA
local all $OWNER peer
local all all scram-sha-256
host  all all 127.0.0.1/32 scram-sha-256
HBA
  echo "include 'oneshot.conf'" | as_owner tee -a "$DATA.new/postgresql.conf" >/dev/null
  as_owner mv "$DATA.new" "$DATA"
}

write_settings() {
  as_owner tee "$DATA/oneshot.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $PORT
unix_socket_directories = '$SOCKET'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
log_line_prefix = '%m [%p] %u@%d '
log_min_duration_statement = 500
CONF
}

# A role per service that owns one schema; `oneshot_ctl` may read all of them. Safe to repeat.
create_database() {
  local service
  {
    echo "SET client_min_messages = warning;"
    for service in auth billing jobs gpu ctl test; do
      cat <<SQL
SELECT 'CREATE ROLE oneshot_$service LOGIN'
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'oneshot_$service') \gexec
ALTER ROLE oneshot_$service PASSWORD '$(secret "pg_$service")';
SQL
    done
    cat <<SQL
GRANT pg_read_all_data TO oneshot_ctl;
SELECT 'CREATE DATABASE oneshot' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'oneshot') \gexec
SELECT 'CREATE DATABASE oneshot_test OWNER oneshot_test'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'oneshot_test') \gexec
REVOKE ALL ON DATABASE oneshot, oneshot_test FROM PUBLIC;
GRANT CONNECT ON DATABASE oneshot TO oneshot_auth, oneshot_billing, oneshot_jobs, oneshot_gpu, oneshot_ctl;
\c oneshot
SET client_min_messages = warning;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SQL
    for service in auth billing jobs gpu; do
      cat <<SQL
CREATE SCHEMA IF NOT EXISTS $service AUTHORIZATION oneshot_$service;
ALTER ROLE oneshot_$service IN DATABASE oneshot SET search_path = $service;
SQL
    done
  } | psql -d postgres >/dev/null
}

start() {
  [ -n "$BIN" ] && [ -x "$BIN/postgres" ] || die "PostgreSQL is not installed" "run: make deps"
  make_state
  ! postmaster >/dev/null || { note "PostgreSQL already runs on port $PORT" && return; }
  require_free_ports POSTGRES
  if [ ! -d "$HOME_DIR" ]; then
    mkdir -m 700 "$HOME_DIR" "$SOCKET"
    chown -R "$OWNER" "$HOME_DIR"
  fi
  [ -d "$DATA" ] || create_cluster
  write_settings
  # After a crash the last backends may hold the old shared memory for a moment.
  local attempt
  for attempt in 1 2 3 4 5; do
    (
      exec 8>&- 9>&-
      as_owner "$BIN/pg_ctl" start -D "$DATA" -w -t 60 -s
    ) >>"$LOGS/postgres.log" 2>&1 && break
    [ "$attempt" -lt 5 ] && sleep 1 && continue
    last_lines postgres
    die "PostgreSQL did not start"
  done
  wait_until 30 accepting || die "PostgreSQL does not accept connections"
  create_database || die "could not create roles and schemas"
}

stop() {
  postmaster >/dev/null || return 0
  as_owner "$BIN/pg_ctl" stop -D "$DATA" -m fast -w -t 30 -s ||
    as_owner "$BIN/pg_ctl" stop -D "$DATA" -m immediate -w -t 30 -s
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  status) pid=$(postmaster) && echo "$pid" ;;
  kill)
    pid=$(postmaster) || die "PostgreSQL does not run"
    kill -KILL "$pid"
    gone() { ! postmaster >/dev/null; }
    wait_until 10 gone
    ;;
  psql) shift; psql "$@" ;;
  test-url) echo "postgresql://oneshot_test:$(secret pg_test)@127.0.0.1:$PORT/oneshot_test" ;;
  *) die "usage: postgres.sh start | stop | status | kill | psql [arguments] | test-url" ;;
esac
