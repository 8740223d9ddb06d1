// What Swift needs of libuv beyond its own header: views of libc structs as plain bytes, so that the
// Swift side does not depend on which C module saw <netdb.h> first.
#ifndef ONESHOT_CUV_SHIM_H
#define ONESHOT_CUV_SHIM_H

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

/// Copies the address of one resolver answer: 4 or 16 bytes in network order. Returns their count,
/// 0 for a family other than IPv4 and IPv6.
static inline int cuv_address_bytes(const void *info, uint8_t out[16]) {
  const struct addrinfo *entry = (const struct addrinfo *)info;
  if (entry->ai_family == AF_INET) {
    memcpy(out, &((const struct sockaddr_in *)(const void *)entry->ai_addr)->sin_addr, 4);
    return 4;
  }
  if (entry->ai_family == AF_INET6) {
    memcpy(out, &((const struct sockaddr_in6 *)(const void *)entry->ai_addr)->sin6_addr, 16);
    return 16;
  }
  return 0;
}

static inline const void *cuv_address_next(const void *info) {
  return ((const struct addrinfo *)info)->ai_next;
}

/// Reads a literal address, without a zone: its 4 or 16 bytes in network order. Returns their count, 0
/// for a name.
static inline int cuv_literal_bytes(const char *host, uint8_t out[16]) {
  if (uv_inet_pton(AF_INET, host, out) == 0) return 4;
  return uv_inet_pton(AF_INET6, host, out) == 0 && strchr(host, '%') == NULL ? 16 : 0;
}

/// Starts a look-up of stream addresses only, so that each address is answered once.
static inline int cuv_resolve(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb done,
                              const char *host) {
  struct addrinfo hints;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  return uv_getaddrinfo(loop, request, done, host, NULL, &hints);
}

#endif
