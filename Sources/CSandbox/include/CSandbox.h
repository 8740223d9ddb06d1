// What a process can do to itself before it touches bytes from outside. Linux only.
#ifndef ONESHOT_CSANDBOX_H
#define ONESHOT_CSANDBOX_H

#include <stdint.h>

/// Limits of the process itself.
struct oneshot_limits {
  uint64_t address_space_bytes;
  uint64_t cpu_seconds;
  uint64_t open_files;
};

/// Sets the limits (and file size 0, no core dump). Returns 0, or an errno.
int oneshot_sandbox_limit(struct oneshot_limits limits);

/// Gives root's identity away for that of nobody; does nothing for others. Returns 0 or an errno.
int oneshot_sandbox_drop_root(void);

/// Never again may an executed file raise privileges. Returns 0, or an errno.
int oneshot_sandbox_no_new_privileges(void);

/// Moves the process, which must have one thread, into a network namespace without any interface.
/// Returns 0, or an errno where the system does not permit it.
int oneshot_sandbox_leave_network(void);

/// Allows from now on only the system calls that computing on memory and open pipes needs; every
/// other one fails with EPERM. Returns 0, or an errno.
int oneshot_sandbox_filter_calls(void);

/// Tries one thing that the sandbox must refuse; returns the errno that it met, 0 if it succeeded.
enum oneshot_probe {
  ONESHOT_PROBE_SOCKET,
  ONESHOT_PROBE_OPEN_READ,
  ONESHOT_PROBE_OPEN_WRITE,
  ONESHOT_PROBE_EXEC,
  ONESHOT_PROBE_FORK,
  ONESHOT_PROBE_PTRACE,
  ONESHOT_PROBE_KILL,
  ONESHOT_PROBE_UNLINK,
};
int oneshot_sandbox_probe(enum oneshot_probe probe);

#endif
