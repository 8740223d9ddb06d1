#ifndef CFUZZER_H
#define CFUZZER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// libFuzzer's entry for programs that have a main function of their own; linked by -sanitize=fuzzer.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*target)(const uint8_t *bytes, size_t count));

/// Runs `target` on inputs as the arguments say, and ends the process.
static inline _Noreturn void cfuzzer_main(int argc, char **argv, int (*target)(const uint8_t *bytes, size_t count)) {
  exit(LLVMFuzzerRunDriver(&argc, &argv, target));
}

#endif
