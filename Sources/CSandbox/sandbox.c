#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int set_limit(__rlimit_resource_t resource, uint64_t value) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return errno;
  if (limit.rlim_max != RLIM_INFINITY && value > limit.rlim_max) value = limit.rlim_max;
  limit.rlim_cur = limit.rlim_max = value;
  return setrlimit(resource, &limit) == 0 ? 0 : errno;
}

int oneshot_sandbox_limit(struct oneshot_limits limits) {
  // A log file as stderr must not turn a message into a death by SIGXFSZ; a reader that has gone
  // is an error to handle.
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  // RLIMIT_NPROC stays: it counts all threads of the user, other services' too. The filter below
  // refuses new processes instead.
  int code = 0;
  if (code == 0) code = set_limit(RLIMIT_AS, limits.address_space_bytes);
  if (code == 0) code = set_limit(RLIMIT_CPU, limits.cpu_seconds);
  if (code == 0) code = set_limit(RLIMIT_NOFILE, limits.open_files);
  if (code == 0) code = set_limit(RLIMIT_FSIZE, 0);
  if (code == 0) code = set_limit(RLIMIT_CORE, 0);
  if (code == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) code = errno;
  return code;
}

int oneshot_sandbox_drop_root(void) {
  enum { nobody = 65534 };
  if (geteuid() != 0) return 0;
  if (setgroups(0, NULL) != 0) return errno;
  if (setresgid(nobody, nobody, nobody) != 0) return errno;
  if (setresuid(nobody, nobody, nobody) != 0) return errno;
  return 0;
}

int oneshot_sandbox_no_new_privileges(void) {
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

int oneshot_sandbox_leave_network(void) {
  if (unshare(CLONE_NEWNET) == 0) return 0;
  return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0 : errno;
}

static int try_socket(void) {
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (descriptor < 0) return errno;
  close(descriptor);
  return 0;
}

static int try_open(const char *path, int flags) {
  int descriptor = open(path, flags | O_CLOEXEC, 0600);
  if (descriptor < 0) return errno;
  close(descriptor);
  return 0;
}

static int try_fork(void) {
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) _exit(0);
  waitpid(child, NULL, 0);
  return 0;
}

static int try_exec(void) {
  char *const none[] = {NULL};
  execve("/bin/true", none, none);
  return errno;
}

int oneshot_sandbox_probe(enum oneshot_probe probe) {
  switch (probe) {
    case ONESHOT_PROBE_SOCKET: return try_socket();
    case ONESHOT_PROBE_OPEN_READ: return try_open("/etc/passwd", O_RDONLY);
    case ONESHOT_PROBE_OPEN_WRITE: return try_open("/tmp/oneshot-probe", O_WRONLY | O_CREAT);
    case ONESHOT_PROBE_EXEC: return try_exec();
    case ONESHOT_PROBE_FORK: return try_fork();
    case ONESHOT_PROBE_PTRACE: return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
    case ONESHOT_PROBE_KILL: return kill(getppid(), 0) < 0 ? errno : 0;
    case ONESHOT_PROBE_UNLINK: return unlink("/tmp/oneshot-probe-that-is-not") < 0 ? errno : 0;
  }
  return EINVAL;
}
