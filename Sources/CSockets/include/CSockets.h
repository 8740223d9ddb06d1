// Sockets with nothing but integers and bytes in the interface, so that the Swift side does not
// depend on which C module saw <sys/socket.h> first. Functions that can fail answer -errno.
#ifndef ONESHOT_CSOCKETS_H
#define ONESHOT_CSOCKETS_H

#include <stddef.h>
#include <stdint.h>

/// `length` is 4 (IPv4), 16 (IPv6) or 0 (Unix, then `path` counts).
typedef struct {
  uint8_t bytes[16];
  int length;
  uint16_t port;
  char path[108];
} csockets_address;

#define CSOCKETS_AGAIN (-11)
#define CSOCKETS_IN_PROGRESS (-115)

/// A bound, listening, non-blocking socket.
int csockets_listen(const csockets_address *address, int reuse_port, int backlog);
/// A non-blocking socket whose connect was started or (Unix) is done.
int csockets_connect(const csockets_address *address);
/// The next waiting connection, non-blocking, and who it is from.
int csockets_accept(int listener, csockets_address *peer);
/// Sets what a TCP connection of ours is to have: small writes leave at once (TCP_NODELAY), bytes that the
/// peer does not acknowledge end it after a while (TCP_USER_TIMEOUT), and the kernel takes only so many
/// bytes that it may not send yet (TCP_NOTSENT_LOWAT). A connection without them still works.
void csockets_tune(int descriptor, int user_timeout_ms, int unsent_bytes);
/// The port that the kernel chose.
int csockets_bound_port(int descriptor);
/// The pending error of a socket as -errno, 0 for none.
int csockets_pending_error(int descriptor);
long csockets_read(int descriptor, void *bytes, size_t count);
/// Never raises SIGPIPE.
long csockets_write(int descriptor, const void *bytes, size_t count);
int csockets_shutdown_write(int descriptor);
void csockets_close(int descriptor);
/// The text of an error code; `code` may be negative.
void csockets_describe(int code, char *text, size_t capacity);
/// A number that changes when the file is written or replaced; 0 when there is no such file.
uint64_t csockets_file_stamp(const char *path);
/// Whether the code says that descriptors or buffers have run out for now.
int csockets_is_exhaustion(int code);

#endif
