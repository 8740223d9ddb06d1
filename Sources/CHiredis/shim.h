// The client library of Redis: connecting, reading and parsing without blocking.
#ifndef ONESHOT_CHIREDIS_SHIM_H
#define ONESHOT_CHIREDIS_SHIM_H

#include <errno.h>
#include <hiredis/hiredis.h>
#include <string.h>
#include <sys/socket.h>

/// The reason of `err`.
static inline const char *chiredis_error(const redisContext *context) { return context->errstr; }

/// How connecting ended: 0, or an error number.
static inline int chiredis_connect_error(const redisContext *context) {
  int code = 0;
  socklen_t size = sizeof code;
  if (getsockopt(context->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) return errno;
  return code;
}

/// Writes what the kernel takes: the number of bytes, 0 when it takes none now, or a negative error number.
static inline long chiredis_send(const redisContext *context, const void *bytes, size_t count) {
  ssize_t sent = send(context->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return sent;
  return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

#endif
