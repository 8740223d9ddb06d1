#ifndef CCHILDPROCESS_H
#define CCHILDPROCESS_H

#include <stddef.h>
#include <sys/types.h>

/// A child and the parent's ends of its standard streams; non-blocking, closed on exec.
struct cchild {
  pid_t pid;
  int input;
  int output;
  int errors;
};

/// Results of reading and writing besides a count; 0 from reading is the end of the stream.
enum { CCHILD_AGAIN = -1, CCHILD_FAILED = -2 };

/// Starts the program at `path` in a process group of its own: no arguments but the path, an empty
/// environment, no descriptors but 0 to 2, default signals. Returns 0 or an errno.
int cchild_spawn(const char *path, struct cchild *child);

/// Reads without blocking.
ssize_t cchild_read(int fd, void *buffer, size_t count);

/// Writes without blocking; a closed reader is a failure, no signal.
ssize_t cchild_write(int fd, const void *buffer, size_t count);

/// Closes a descriptor.
void cchild_close(int fd);

/// Kills the whole process group.
void cchild_kill(pid_t pid);

/// Waits for the child's end: its exit status, 128 + signal, or -1. What is left of its process group
/// after its end, or after `grace_ms`, is killed. Blocks.
int cchild_wait(pid_t pid, int grace_ms);

#endif
