// The system-call filter: a list of what is allowed, in classic BPF.
#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ONESHOT_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ONESHOT_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifndef ONESHOT_ARCHITECTURE

int oneshot_sandbox_filter_calls(void) { return ENOSYS; }

#else

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define REFUSE(number) RETURN(SECCOMP_RET_ERRNO | (number))
/// Allows one call by number.
#define ALLOW(name) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
/// Gives one call an errno of its own.
#define ANSWER(name, number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), REFUSE(number)

int oneshot_sandbox_filter_calls(void) {
  struct sock_filter program[] = {
      LOAD(arch),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ONESHOT_ARCHITECTURE, 1, 0),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      LOAD(nr),
#if defined(__x86_64__)
      // Numbers of the x32 interface would slip past a list of the other one's.
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
      RETURN(SECCOMP_RET_KILL_PROCESS),
#endif
      // Pipes that are open.
      ALLOW(read), ALLOW(readv), ALLOW(write), ALLOW(writev), ALLOW(close), ALLOW(fstat),
      ALLOW(lseek), ALLOW(ppoll),
#if defined(__x86_64__)
      ALLOW(poll),
#endif
      // Memory.
      ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(mprotect), ALLOW(madvise), ALLOW(brk),
      // Threads and locks.
      ALLOW(futex), ALLOW(set_robust_list), ALLOW(rseq), ALLOW(sched_yield),
      ALLOW(sched_getaffinity), ALLOW(gettid), ALLOW(getpid), ALLOW(set_tid_address),
      ALLOW(membarrier),
#if defined(__x86_64__)
      ALLOW(arch_prctl),
#endif
      // Time and chance.
      ALLOW(clock_gettime), ALLOW(clock_nanosleep), ALLOW(nanosleep), ALLOW(gettimeofday),
      ALLOW(getrandom), ALLOW(getrusage),
      // Signals and the end, abort() included.
      ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn), ALLOW(sigaltstack),
      ALLOW(tgkill), ALLOW(exit), ALLOW(exit_group), ALLOW(restart_syscall),
      // glibc asks for clone3 first and takes clone when that is unknown; the flags of clone can be
      // seen here, those of clone3 cannot. Only threads may be made.
      ANSWER(clone3, ENOSYS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 4),
      LOAD(args[0]),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1),
      RETURN(SECCOMP_RET_ALLOW),
      REFUSE(EPERM),
      // Threads give themselves names.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_prctl, 0, 4),
      LOAD(args[0]),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_NAME, 0, 1),
      RETURN(SECCOMP_RET_ALLOW),
      REFUSE(EPERM),
      // Everything else: sockets, files, processes, other people's memory, the kernel itself.
      REFUSE(EPERM),
  };
  const struct sock_fprog list = {.len = sizeof program / sizeof program[0], .filter = program};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &list, 0, 0) == 0 ? 0 : errno;
}

#endif
