#define _GNU_SOURCE
#include "CLoopThread.h"

#ifdef __linux__
#include <pthread.h>
#endif

// Read several times a call. Initial-exec: a fixed offset instead of a look-up by the linker's
// function, allowed because this is never part of a library that is loaded later.
static __thread void *current_loop __attribute__((tls_model("initial-exec")));

void *cloopthread_get(void) { return current_loop; }
void cloopthread_set(void *loop) { current_loop = loop; }

void cloopthread_name(const char *name) {
#ifdef __linux__
  pthread_setname_np(pthread_self(), name);
#else
  (void)name;
#endif
}
