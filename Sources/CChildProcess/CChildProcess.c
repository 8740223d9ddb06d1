#define _GNU_SOURCE
#include "CChildProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int make_pipes(int pipes[3][2]) {
  for (int i = 0; i < 3; i++) pipes[i][0] = pipes[i][1] = -1;
  for (int i = 0; i < 3; i++) {
    if (pipe2(pipes[i], O_CLOEXEC) != 0) return errno;
  }
  return 0;
}

static void close_pipes(int pipes[3][2]) {
  for (int i = 0; i < 3; i++) {
    for (int end = 0; end < 2; end++) {
      if (pipes[i][end] >= 0) close(pipes[i][end]);
      pipes[i][end] = -1;
    }
  }
}

static int spawn(const char *path, int pipes[3][2], pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t signals;
  char *arguments[] = {(char *)path, NULL};
  char *environment[] = {NULL};
  int code = posix_spawn_file_actions_init(&actions);
  if (code != 0) return code;
  code = posix_spawnattr_init(&attributes);
  if (code != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return code;
  }
  sigfillset(&signals);
  if ((code = posix_spawn_file_actions_adddup2(&actions, pipes[0][0], 0)) == 0 &&
      (code = posix_spawn_file_actions_adddup2(&actions, pipes[1][1], 1)) == 0 &&
      (code = posix_spawn_file_actions_adddup2(&actions, pipes[2][1], 2)) == 0 &&
      (code = posix_spawn_file_actions_addclosefrom_np(&actions, 3)) == 0 &&
      (code = posix_spawnattr_setsigdefault(&attributes, &signals)) == 0 &&
      (code = (sigemptyset(&signals), posix_spawnattr_setsigmask(&attributes, &signals))) == 0 &&
      (code = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
      (code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF |
                                                        POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETPGROUP)) == 0) {
    code = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
  }
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return code;
}

int cchild_spawn(const char *path, struct cchild *child) {
  int pipes[3][2];
  int code = make_pipes(pipes);
  // The parent's ends must not block a loop; the child's are ordinary pipes.
  if (code == 0 && (fcntl(pipes[0][1], F_SETFL, O_NONBLOCK) != 0 ||
                    fcntl(pipes[1][0], F_SETFL, O_NONBLOCK) != 0 ||
                    fcntl(pipes[2][0], F_SETFL, O_NONBLOCK) != 0)) {
    code = errno;
  }
  if (code == 0) code = spawn(path, pipes, &child->pid);
  if (code != 0) {
    close_pipes(pipes);
    return code;
  }
  child->input = pipes[0][1];
  child->output = pipes[1][0];
  child->errors = pipes[2][0];
  close(pipes[0][0]);
  close(pipes[1][1]);
  close(pipes[2][1]);
  return 0;
}

static ssize_t outcome(ssize_t count) {
  if (count >= 0) return count;
  return errno == EAGAIN || errno == EINTR ? CCHILD_AGAIN : CCHILD_FAILED;
}

ssize_t cchild_read(int fd, void *buffer, size_t count) {
  return outcome(read(fd, buffer, count));
}

// The process ignores SIGPIPE (ServiceKit), so that this returns EPIPE.
ssize_t cchild_write(int fd, const void *buffer, size_t count) {
  return outcome(write(fd, buffer, count));
}

void cchild_close(int fd) { close(fd); }

void cchild_kill(pid_t pid) {
  if (pid > 0) kill(-pid, SIGKILL);
}

// Whether the child has ended. It stays a zombie, so that its number names nobody else meanwhile.
static bool has_ended(pid_t pid) {
  siginfo_t info = {.si_pid = 0};
  if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) return errno != EINTR;
  return info.si_pid == pid;
}

int cchild_wait(pid_t pid, int grace_ms) {
  const struct timespec nap = {.tv_nsec = 1000000};
  int status = 0;
  for (int i = 0; i < grace_ms && !has_ended(pid); i++) nanosleep(&nap, NULL);
  cchild_kill(pid);
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
