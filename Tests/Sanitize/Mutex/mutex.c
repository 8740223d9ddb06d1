// Tells ThreadSanitizer what a contended `Mutex` does.
//
// The fast paths of Swift's `Mutex` are compiled into their callers, where the sanitizer sees the atomic
// operation. The slow ones (somebody holds the lock, somebody waits for it) are functions of
// libswiftSynchronization, which is not instrumented, and the kernel hands the lock over: the sanitizer
// sees neither the release nor the acquire, and reports what the lock guards. These functions come in
// front of the library's, call them, and say what happened.

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>
#include <stdbool.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef SWIFT void Lock(uint32_t thread, SELF);
typedef SWIFT bool TryLock(SELF);
typedef SWIFT void Unlock(SELF);

// `_MutexHandle._lockSlow(_:)`
SWIFT void lock_slow(uint32_t thread, SELF mutex) __asm__(LOCK_SLOW);
SWIFT void lock_slow(uint32_t thread, SELF mutex) {
  ((Lock *)dlsym(RTLD_NEXT, LOCK_SLOW))(thread, mutex);
  __tsan_acquire(mutex);
}

// `_MutexHandle._tryLockSlow()`
SWIFT bool try_lock_slow(SELF mutex) __asm__(TRY_LOCK_SLOW);
SWIFT bool try_lock_slow(SELF mutex) {
  if (!((TryLock *)dlsym(RTLD_NEXT, TRY_LOCK_SLOW))(mutex)) return false;
  __tsan_acquire(mutex);
  return true;
}

// `_MutexHandle._unlockSlow()`
SWIFT void unlock_slow(SELF mutex) __asm__(UNLOCK_SLOW);
SWIFT void unlock_slow(SELF mutex) {
  __tsan_release(mutex);
  ((Unlock *)dlsym(RTLD_NEXT, UNLOCK_SLOW))(mutex);
}

#endif
#endif
