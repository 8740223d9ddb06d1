// The floor of the data layer: one thread on libpq and hiredis, pipelined where more than one call is
// in flight. The same work as data-bench, which data.py runs in turn with it.
//
//   cdata pg|redis TARGET IN_FLIGHT CALLS [SCRIPT]
//
// TARGET is a connection string, or PORT:PASSWORD of a Redis on this machine. Prints the calls, the seconds, and the
// CPU microseconds of one call.
#include <errno.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void die(const char *what, const char *why) {
  fprintf(stderr, "cdata: %s: %s\n", what, why);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned long checksum;

// PostgreSQL: the read of data-bench, prepared, values and results binary, one sync each.

static void send_read(PGconn *connection, unsigned int key) {
  unsigned int bytes = __builtin_bswap32(key);
  const char *values[] = {(const char *)&bytes};
  int lengths[] = {4}, formats[] = {1};
  if (PQsendQueryPrepared(connection, "read", 1, values, lengths, formats, 1) != 1 ||
      PQpipelineSync(connection) != 1)
    die("send", PQerrorMessage(connection));
}

static void wait_for(PGconn *connection, short events) {
  struct pollfd poller = {PQsocket(connection), events, 0};
  while (poll(&poller, 1, -1) < 0)
    if (errno != EINTR) die("poll", strerror(errno));
}

static int receive(PGconn *connection) {
  int synced = 0;
  while (!PQisBusy(connection)) {
    PGresult *result = PQgetResult(connection);
    if (result == NULL) {
      if (PQisBusy(connection)) break;
      // The end of a command; at the end of everything there is a second one.
      result = PQgetResult(connection);
      if (result == NULL) break;
    }
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
      if (PQntuples(result) != 1 || PQnfields(result) != 6) die("read", "not one row of six");
      for (int column = 0; column < 6; column++) {
        checksum += (unsigned long)PQgetlength(result, 0, column);
        char *copy = strndup(PQgetvalue(result, 0, column), (size_t)PQgetlength(result, 0, column));
        free(copy);
      }
      break;
    case PGRES_PIPELINE_SYNC: synced++; break;
    default: die("read", PQresultErrorMessage(result));
    }
    PQclear(result);
  }
  return synced;
}

static void run_pg(PGconn *connection, int in_flight, long calls) {
  long sent = 0, done = 0;
  while (done < calls) {
    while (sent < calls && sent - done < in_flight) send_read(connection, 1 + sent++ % 1000);
    wait_for(connection, PQflush(connection) > 0 ? POLLIN | POLLOUT : POLLIN);
    if (PQconsumeInput(connection) != 1) die("receive", PQerrorMessage(connection));
    done += receive(connection);
  }
}

static PGconn *open_pg(const char *target) {
  PGconn *connection = PQconnectdb(target);
  if (PQstatus(connection) != CONNECTION_OK) die("connect", PQerrorMessage(connection));
  Oid types[] = {23};
  PGresult *result = PQprepare(connection, "read",
                               "SELECT id, name, state, progress, cost, created_at FROM bench_row "
                               "WHERE id = $1", 1, types);
  if (PQresultStatus(result) != PGRES_COMMAND_OK) die("prepare", PQresultErrorMessage(result));
  PQclear(result);
  if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1)
    die("pipeline", PQerrorMessage(connection));
  return connection;
}

// Redis: one script.

static char digest[64];

static void run_redis(redisContext *context, int in_flight, long calls) {
  long sent = 0, done = 0;
  while (done < calls) {
    while (sent < calls && sent - done < in_flight) {
      char key[32];
      snprintf(key, sizeof key, "bench:%ld", sent++ % 1000);
      const char *arguments[] = {"EVALSHA", digest, "1", key, "1000000", "1000", "1", "1700000000000"};
      redisAppendCommandArgv(context, 8, arguments, NULL);
    }
    void *reply = NULL;
    if (redisGetReply(context, &reply) != REDIS_OK) die("redis", context->errstr);
    do {
      redisReply *answer = reply;
      if (answer->type != REDIS_REPLY_ARRAY || answer->elements != 2) die("redis", "not the answer");
      checksum += (unsigned long)answer->element[1]->integer;
      freeReplyObject(answer);
      done++;
      reply = NULL;
      if (redisGetReplyFromReader(context, &reply) != REDIS_OK) die("redis", context->errstr);
    } while (reply != NULL);
  }
}

static redisContext *open_redis(const char *target, const char *path) {
  const char *password = strchr(target, ':');
  if (password == NULL) die("usage", "PORT:PASSWORD");
  redisContext *context = redisConnect("127.0.0.1", atoi(target));
  if (context == NULL || context->err) die("connect", context ? context->errstr : "no memory");
  redisEnableKeepAlive(context);
  freeReplyObject(redisCommand(context, "AUTH %s", password + 1));
  static char script[8192];
  FILE *file = fopen(path, "r");
  if (file == NULL) die(path, strerror(errno));
  size_t count = fread(script, 1, sizeof script - 1, file);
  fclose(file);
  redisReply *reply = redisCommand(context, "SCRIPT LOAD %b", script, count);
  if (reply == NULL || reply->type != REDIS_REPLY_STRING) die("SCRIPT LOAD", "no digest");
  snprintf(digest, sizeof digest, "%s", reply->str);
  freeReplyObject(reply);
  return context;
}

int main(int count, char **arguments) {
  if (count < 5) die("usage", "cdata pg|redis TARGET IN_FLIGHT CALLS [SCRIPT]");
  int in_flight = atoi(arguments[3]);
  long calls = atol(arguments[4]);
  int is_pg = strcmp(arguments[1], "pg") == 0;
  PGconn *connection = is_pg ? open_pg(arguments[2]) : NULL;
  redisContext *context = is_pg ? NULL : open_redis(arguments[2], arguments[5]);
  for (int part = 0; part < 2; part++) {
    long number = part == 0 ? calls / 10 : calls;
    double start = now(), used = cpu();
    if (is_pg) run_pg(connection, in_flight, number);
    else run_redis(context, in_flight, number);
    used = cpu() - used;
    if (part == 1) printf("%ld %f %f\n", number, now() - start, used * 1e6 / (double)number);
  }
  return checksum == 0;
}
