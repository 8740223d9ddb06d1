#define _GNU_SOURCE
#include "CSockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(CSOCKETS_AGAIN == -EAGAIN, "EAGAIN");
_Static_assert(CSOCKETS_IN_PROGRESS == -EINPROGRESS, "EINPROGRESS");

static socklen_t to_native(const csockets_address *address, struct sockaddr_storage *out) {
  memset(out, 0, sizeof *out);
  if (address->length == 4) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    memcpy(&v4->sin_addr, address->bytes, 4);
    return sizeof *v4;
  }
  if (address->length == 16) {
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address->port);
    memcpy(&v6->sin6_addr, address->bytes, 16);
    return sizeof *v6;
  }
  struct sockaddr_un *local = (struct sockaddr_un *)out;
  local->sun_family = AF_UNIX;
  memcpy(local->sun_path, address->path, sizeof local->sun_path);
  local->sun_path[sizeof local->sun_path - 1] = 0;
  return sizeof *local;
}

static void from_native(const struct sockaddr_storage *native, csockets_address *out) {
  memset(out, 0, sizeof *out);
  if (native->ss_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)native;
    out->length = 4;
    out->port = ntohs(v4->sin_port);
    memcpy(out->bytes, &v4->sin_addr, 4);
  } else if (native->ss_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)native;
    out->length = 16;
    out->port = ntohs(v6->sin6_port);
    memcpy(out->bytes, &v6->sin6_addr, 16);
  }
}

static int make_socket(const csockets_address *address) {
  int family = address->length == 4 ? AF_INET : address->length == 16 ? AF_INET6 : AF_UNIX;
  int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return descriptor < 0 ? -errno : descriptor;
}

static int fail(int descriptor) {
  int code = -errno;
  close(descriptor);
  return code;
}

int csockets_listen(const csockets_address *address, int reuse_port, int backlog) {
  int descriptor = make_socket(address);
  if (descriptor < 0) return descriptor;
  int on = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (reuse_port && address->length != 0 &&
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
    return fail(descriptor);
  if (address->length == 16)
    setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  struct sockaddr_storage native;
  socklen_t size = to_native(address, &native);
  if (bind(descriptor, (const struct sockaddr *)&native, size) < 0) return fail(descriptor);
  if (listen(descriptor, backlog) < 0) return fail(descriptor);
  return descriptor;
}

int csockets_connect(const csockets_address *address) {
  int descriptor = make_socket(address);
  if (descriptor < 0) return descriptor;
  struct sockaddr_storage native;
  socklen_t size = to_native(address, &native);
  if (connect(descriptor, (const struct sockaddr *)&native, size) < 0 && errno != EINPROGRESS)
    return fail(descriptor);
  return descriptor;
}

int csockets_accept(int listener, csockets_address *peer) {
  struct sockaddr_storage native;
  socklen_t size = sizeof native;
  native.ss_family = AF_UNSPEC;
  int descriptor =
      accept4(listener, (struct sockaddr *)&native, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return -errno;
  from_native(&native, peer);
  return descriptor;
}

void csockets_tune(int descriptor, int user_timeout_ms, int unsent_bytes) {
  int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
  setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof unsent_bytes);
}

int csockets_bound_port(int descriptor) {
  struct sockaddr_storage native;
  socklen_t size = sizeof native;
  if (getsockname(descriptor, (struct sockaddr *)&native, &size) < 0) return -errno;
  csockets_address address;
  from_native(&native, &address);
  return address.port;
}

int csockets_pending_error(int descriptor) {
  int code = 0;
  socklen_t size = sizeof code;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) < 0) return -errno;
  return -code;
}

long csockets_read(int descriptor, void *bytes, size_t count) {
  ssize_t result;
  do result = recv(descriptor, bytes, count, 0);
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

long csockets_write(int descriptor, const void *bytes, size_t count) {
  ssize_t result;
  do result = send(descriptor, bytes, count, MSG_NOSIGNAL);
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

int csockets_shutdown_write(int descriptor) {
  return shutdown(descriptor, SHUT_WR) < 0 ? -errno : 0;
}

void csockets_close(int descriptor) { close(descriptor); }

void csockets_describe(int code, char *text, size_t capacity) {
  const char *found = strerror_r(code < 0 ? -code : code, text, capacity);
  if (found != text) strncpy(text, found, capacity - 1);
  text[capacity - 1] = 0;
}

uint64_t csockets_file_stamp(const char *path) {
  struct stat found;
  if (stat(path, &found) < 0) return 0;
  uint64_t stamp = (uint64_t)found.st_mtim.tv_sec * 1000000000u + (uint64_t)found.st_mtim.tv_nsec;
  return (stamp * 31 + (uint64_t)found.st_ino) * 31 + (uint64_t)found.st_size;
}

int csockets_is_exhaustion(int code) {
  return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}
