// The asynchronous client library of Redis.
#ifndef ONESHOT_CHIREDIS_SHIM_H
#define ONESHOT_CHIREDIS_SHIM_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

/// The error of a failed connect: `err` of the asynchronous context is still 0 in the callback.
static inline const char *chiredis_error(const redisAsyncContext *context) {
  return context->c.errstr;
}

static inline int chiredis_error_code(const redisAsyncContext *context) { return context->c.err; }

static inline int chiredis_descriptor(const redisAsyncContext *context) { return context->c.fd; }

static inline int chiredis_keep_alive(redisAsyncContext *context) {
  return redisEnableKeepAlive(&context->c);
}

#endif
