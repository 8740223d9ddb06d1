// Runs a server and, when asked, one of its threads instruction by instruction, for `make bench-steps`.
//
//   step SERVER [ARGUMENT...]
//
// Prints the server's process id. For each line "THREAD SKIP CALLS FILE" on standard input it stops
// that thread, says "ready", lets SKIP calls pass, writes the trace of the next CALLS to FILE, lets
// the thread go and says "done". The server ends with the input, or with this program.
//
// The trace is a sequence of 64-bit words: the address of an instruction; with the top bit set, the
// number of the kernel call that this instruction was; `border` behind each call. A call ends where
// the next one's request has been read: it does the same work wherever such a circle is cut open.
//
// The server is a child, which a tracer may follow without privileges (Yama's ptrace_scope 0 and 1).
// It runs at fixed addresses, and for the stepped thread an instruction takes a nanosecond: what
// depends on addresses or on time is the same in every run, and timers come as rarely as they should.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "step.c knows the instructions and registers of x86-64 only"
#endif

enum { cache_size = 1 << 16, syscall_instruction = 0x050f, none = -1 };
// Longer than a call takes on a machine that is busy with much else.
enum { max_seconds_of_call = 60 };
enum { clocks = 16, nanoseconds = 1000000000 };
// A wake-up through an eventfd reads 8 bytes, a frame of HTTP/2 has at least 9.
enum { wake_up_bytes = 8 };
static const uint64_t kernel_call = 1UL << 63, border = UINT64_MAX;

static void die(const char *what) {
  fprintf(stderr, "step: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void give_up(int signal) {
  static const char late[] = "step: no further call came within a minute\n";
  static const char gone[] = "step: the server has ended\n";
  (void)!(signal == SIGALRM ? write(STDERR_FILENO, late, sizeof late - 1)
                            : write(STDERR_FILENO, gone, sizeof gone - 1));
  _exit(1);
}

// --- the traced thread -------------------------------------------------------------------------

static int wait_for(pid_t thread) {
  int status;
  if (waitpid(thread, &status, __WALL) < 0) die("waitpid");
  if (!WIFSTOPPED(status)) {
    errno = ESRCH;
    die("the server has ended");
  }
  return status;
}

static void attach(pid_t thread) {
  if (ptrace(PTRACE_SEIZE, thread, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD) < 0) {
    die("this system forbids to trace one's own child (kernel.yama.ptrace_scope, seccomp)");
  }
  if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) < 0) die("PTRACE_INTERRUPT");
  wait_for(thread);
}

// Lets the thread run to the next stop of that kind. Signals for the server are passed on.
static void advance(pid_t thread, enum __ptrace_request kind) {
  int wanted = kind == PTRACE_SYSCALL ? SIGTRAP | 0x80 : SIGTRAP, status;
  long signal = 0;
  do {
    if (ptrace(kind, thread, NULL, signal) < 0) die("the server cannot be stepped");
    status = wait_for(thread);
    signal = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
  } while (status >> 8 != wanted);
}

static uint64_t peek(pid_t thread, uint64_t address) {
  errno = 0;
  long word = ptrace(PTRACE_PEEKDATA, thread, address, NULL);
  if (errno != 0) die("PTRACE_PEEKDATA");
  return (uint64_t)word;
}

static void poke(pid_t thread, uint64_t address, uint64_t word) {
  if (ptrace(PTRACE_POKEDATA, thread, address, word) < 0) die("PTRACE_POKEDATA");
}

static struct user_regs_struct registers_of(pid_t thread) {
  struct user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) < 0) die("PTRACE_GETREGS");
  return registers;
}

static int is_kernel_call(pid_t thread, uint64_t address) {
  static struct {
    uint64_t address;
    int answer;
  } cache[cache_size], *slot;
  slot = &cache[address % cache_size];
  if (slot->address != address) {
    // Fails at the end of a mapping, where no kernel call stands.
    errno = 0;
    long text = ptrace(PTRACE_PEEKTEXT, thread, address, NULL);
    slot->address = address;
    slot->answer = errno == 0 && (text & 0xffff) == syscall_instruction;
  }
  return slot->answer;
}

// --- the clock ---------------------------------------------------------------------------------

// The time that the stepped thread sees: from its first look at a clock on, a nanosecond an
// instruction. The clock's own code runs, only its result is replaced.
typedef struct {
  uint64_t function;                    // clock_gettime, in code that the kernel maps
  uint64_t return_address, stack, result;
  uint64_t clock;
  uint64_t first[clocks], steps;
} timekeeper;

// Where a process has the kernel's clock_gettime: as far behind the beginning of that code as here.
static uint64_t clock_function(pid_t server) {
  char path[64];
  Elf64_auxv_t entry = {0};
  snprintf(path, sizeof path, "/proc/%d/auxv", (int)server);
  FILE *file = fopen(path, "rb");
  if (file == NULL) die(path);
  while (entry.a_type != AT_SYSINFO_EHDR && fread(&entry, sizeof entry, 1, file) == 1) continue;
  fclose(file);
  void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
  void *symbol = vdso == NULL ? NULL : dlsym(vdso, "__vdso_clock_gettime");
  if (symbol == NULL || entry.a_type != AT_SYSINFO_EHDR) {
    errno = ENOSYS;
    die("the kernel's clock is not where it is looked for (vdso)");
  }
  return entry.a_un.a_val + ((uint64_t)symbol - getauxval(AT_SYSINFO_EHDR));
}

static void keep_time(timekeeper *t, pid_t thread, const struct user_regs_struct *registers) {
  t->steps += 1;
  if (registers->rip == t->function && registers->rdi < clocks) {
    t->clock = registers->rdi;
    t->result = registers->rsi;
    t->return_address = peek(thread, registers->rsp);
    t->stack = registers->rsp + sizeof(uint64_t);
  } else if (registers->rip == t->return_address && registers->rsp == t->stack) {
    t->return_address = 0;
    uint64_t time =
        peek(thread, t->result) * nanoseconds + peek(thread, t->result + sizeof(uint64_t));
    if (t->first[t->clock] == 0) t->first[t->clock] = time - t->steps;
    time = t->first[t->clock] + t->steps;
    poke(thread, t->result, time / nanoseconds);
    poke(thread, t->result + sizeof(uint64_t), time % nanoseconds);
  }
}

// --- the trace ---------------------------------------------------------------------------------

static int waits(long number) {
  return number == SYS_epoll_wait || number == SYS_epoll_pwait || number == SYS_epoll_pwait2 ||
         number == SYS_poll || number == SYS_ppoll;
}

static int reads(long number) {
  return number == SYS_read || number == SYS_readv || number == SYS_recvfrom ||
         number == SYS_recvmsg;
}

static void put(FILE *file, uint64_t word) {
  if (fwrite(&word, sizeof word, 1, file) != 1) die("the trace cannot be written");
}

// Whether a kernel call has read a request: the first that reads after the thread has waited.
static int ends_call(long number, long result) {
  static int has_waited;
  if (waits(number)) has_waited = 1;
  if (!has_waited || !reads(number) || result <= wake_up_bytes) return 0;
  has_waited = 0;
  alarm(max_seconds_of_call);
  return 1;
}

// Stops at kernel calls only: before one its result is ENOSYS.
static void skip(pid_t thread, long calls) {
  while (calls > 0) {
    advance(thread, PTRACE_SYSCALL);
    struct user_regs_struct registers = registers_of(thread);
    calls -= ends_call((long)registers.orig_rax, (long)registers.rax);
  }
}

static void trace(pid_t thread, uint64_t clock_function, long calls, FILE *file) {
  timekeeper time = {.function = clock_function};
  struct user_regs_struct registers = registers_of(thread);
  while (calls > 0) {
    uint64_t address = registers.rip;
    long number = is_kernel_call(thread, address) ? (long)registers.rax : none;
    // A string instruction stops after each round, but it is one.
    do {
      advance(thread, PTRACE_SINGLESTEP);
      registers = registers_of(thread);
    } while (registers.rip == address);
    keep_time(&time, thread, &registers);
    put(file, address);
    if (number == none) continue;
    put(file, kernel_call | (uint64_t)number);
    if (!ends_call(number, (long)registers.rax)) continue;
    put(file, border);
    calls -= 1;
  }
}

static void serve(pid_t server, const char *line) {
  int thread;
  long skipped, calls;
  char path[4096];
  if (sscanf(line, "%d %ld %ld %4095[^\n]", &thread, &skipped, &calls, path) != 4) {
    errno = EINVAL;
    die(line);
  }
  FILE *file = fopen(path, "wb");
  if (file == NULL) die(path);
  alarm(max_seconds_of_call);
  attach(thread);
  puts("ready");
  // The first end is that of what came before the first call.
  skip(thread, skipped + 1);
  trace(thread, clock_function(server), calls, file);
  if (ptrace(PTRACE_DETACH, thread, NULL, NULL) < 0) die("PTRACE_DETACH");
  alarm(0);
  if (fclose(file) != 0) die(path);
  puts("done");
}

// --- the server --------------------------------------------------------------------------------

// Its output goes to standard error: standard output is for the answers of this program.
static void run_server(char **command) {
  int nothing = open("/dev/null", O_RDONLY);
  // Some containers refuse it: then the figures differ a little from run to run.
  (void)personality(ADDR_NO_RANDOMIZE);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || nothing < 0 ||
      dup2(nothing, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    die("the server cannot be prepared");
  }
  execvp(command[0], command);
  die(command[0]);
}

int main(int argc, char **argv) {
  char line[8192];
  if (argc < 2) {
    fprintf(stderr, "usage: step SERVER [ARGUMENT...]\n");
    return 2;
  }
  // Not for each stop of the traced thread, only when the server ends.
  struct sigaction on_end = {.sa_handler = give_up, .sa_flags = SA_NOCLDSTOP};
  if (sigaction(SIGALRM, &on_end, NULL) < 0 || sigaction(SIGCHLD, &on_end, NULL) < 0) {
    die("sigaction");
  }
  pid_t server = fork();
  if (server < 0) die("fork");
  if (server == 0) run_server(argv + 1);
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("%d\n", (int)server);
  while (fgets(line, sizeof line, stdin) != NULL) serve(server, line);
  if (signal(SIGCHLD, SIG_DFL) == SIG_ERR || kill(server, SIGKILL) < 0 ||
      waitpid(server, NULL, 0) < 0) {
    die("the server cannot be ended");
  }
  return 0;
}
