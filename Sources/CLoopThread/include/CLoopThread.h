// The loop that the calling thread runs: Swift has no thread-local variables of its own.
#ifndef ONESHOT_CLOOPTHREAD_H
#define ONESHOT_CLOOPTHREAD_H

/// The pointer that `cloopthread_set` left on this thread, or NULL.
void *cloopthread_get(void);
void cloopthread_set(void *loop);
/// Names the calling thread, for `top -H` and debuggers: at most 15 bytes.
void cloopthread_name(const char *name);

#endif
