// The client library of PostgreSQL.
#ifndef ONESHOT_CLIBPQ_SHIM_H
#define ONESHOT_CLIBPQ_SHIM_H

#include <libpq-fe.h>

/// Drops libpq's notices: its default prints them to the standard error stream.
static inline void clibpq_ignore_notice(void *unused, const PGresult *notice) {
  (void)unused;
  (void)notice;
}

#endif
