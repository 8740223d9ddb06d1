#include "CLoopThread.h"

static __thread void *current_loop;

void *cloopthread_get(void) { return current_loop; }
void cloopthread_set(void *loop) { current_loop = loop; }
