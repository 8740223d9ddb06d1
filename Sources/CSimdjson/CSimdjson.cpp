#include "CSimdjson.h"

#include <new>

#include <simdjson.h>

static_assert(CSIMDJSON_PADDING == simdjson::SIMDJSON_PADDING, "padding differs from the library's");

struct csimdjson_parser {
  simdjson::dom::parser parser;
  size_t max_depth;
};

namespace {

csimdjson_result translate(simdjson::error_code code) {
  switch (code) {
  case simdjson::SUCCESS:
    return CSIMDJSON_OK;
  case simdjson::DEPTH_ERROR:
    return CSIMDJSON_TOO_DEEP;
  case simdjson::NUMBER_ERROR:
  case simdjson::NUMBER_OUT_OF_RANGE:
    return CSIMDJSON_NUMBER;
  case simdjson::UTF8_ERROR:
    return CSIMDJSON_NOT_UTF8;
  case simdjson::EMPTY:
    return CSIMDJSON_EMPTY;
  case simdjson::MEMALLOC:
  case simdjson::CAPACITY:
    return CSIMDJSON_NO_MEMORY;
  default:
    return CSIMDJSON_MALFORMED;
  }
}

} // namespace

extern "C" {

csimdjson_parser *csimdjson_new(size_t max_depth) {
  auto *parser = new (std::nothrow) csimdjson_parser();
  if (parser != nullptr) {
    parser->max_depth = max_depth;
  }
  return parser;
}

void csimdjson_free(csimdjson_parser *parser) { delete parser; }

csimdjson_result csimdjson_parse(csimdjson_parser *parser, const uint8_t *bytes, size_t length) {
  if (parser->parser.capacity() < length || parser->parser.max_depth() != parser->max_depth) {
    // Grown in steps, so that slightly longer documents do not allocate again each time.
    size_t wanted = 4096;
    while (wanted < length) {
      wanted *= 2;
    }
    if (parser->parser.allocate(wanted, parser->max_depth) != simdjson::SUCCESS ||
        parser->parser.doc.allocate(wanted) != simdjson::SUCCESS) {
      return CSIMDJSON_NO_MEMORY;
    }
  }
  return translate(parser->parser.parse(bytes, length, false).error());
}

const uint64_t *csimdjson_tape(const csimdjson_parser *parser) {
  return parser->parser.doc.tape.get();
}

const uint8_t *csimdjson_strings(const csimdjson_parser *parser) {
  return parser->parser.doc.string_buf.get();
}

size_t csimdjson_capacity(const csimdjson_parser *parser) { return parser->parser.capacity(); }

} // extern "C"
