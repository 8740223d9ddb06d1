// JSON text to a flat tape, by simdjson's DOM parser behind a C interface.
//
// The tape is simdjson's own (its doc/tape.md): 64-bit words, the type character in the upper 8 bits
// and a payload in the lower 56. Strings lie in a second buffer, each as a 4-byte length, the bytes
// (escapes resolved, valid UTF-8) and a NUL. Both stay valid until the next parse or the parser's end.
#ifndef ONESHOT_CSIMDJSON_H
#define ONESHOT_CSIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bytes that must be readable behind the input.
#define CSIMDJSON_PADDING 64

/// What became of one parse.
enum csimdjson_result {
  CSIMDJSON_OK = 0,
  CSIMDJSON_MALFORMED = 1,
  CSIMDJSON_TOO_DEEP = 2,
  /// A number is malformed or does not fit 64 bits; the parser does not say which.
  CSIMDJSON_NUMBER = 3,
  CSIMDJSON_NOT_UTF8 = 4,
  CSIMDJSON_EMPTY = 5,
  CSIMDJSON_NO_MEMORY = 6,
};

typedef struct csimdjson_parser csimdjson_parser;

/// A parser for documents of up to `max_depth` nested arrays and objects, or NULL without memory.
csimdjson_parser *csimdjson_new(size_t max_depth);

void csimdjson_free(csimdjson_parser *parser);

/// Parses `length` bytes, behind which CSIMDJSON_PADDING more are readable.
enum csimdjson_result csimdjson_parse(csimdjson_parser *parser, const uint8_t *bytes, size_t length);

/// The tape of the last successful parse; word 0 is the root, word 1 the document's value.
const uint64_t *csimdjson_tape(const csimdjson_parser *parser);

/// The strings of the last successful parse.
const uint8_t *csimdjson_strings(const csimdjson_parser *parser);

/// Bytes of input that the parser's buffers are sized for.
size_t csimdjson_capacity(const csimdjson_parser *parser);

#ifdef __cplusplus
}
#endif

#endif
