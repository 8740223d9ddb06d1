// libnghttp2 with the few things that Swift cannot say itself.
#ifndef ONESHOT_CNGHTTP2_SHIM_H
#define ONESHOT_CNGHTTP2_SHIM_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <string.h>

/// The flags that a data source sets for "this was the last byte".
static inline void cnghttp2_set_eof(uint32_t *flags, int has_trailers) {
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (has_trailers) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
}

/// A header field whose bytes the caller keeps alive until submit returns.
static inline nghttp2_nv cnghttp2_field(const uint8_t *name, size_t name_size, const uint8_t *value,
                                        size_t value_size, int is_sensitive) {
  nghttp2_nv field;
  field.name = (uint8_t *)(uintptr_t)name;
  field.value = (uint8_t *)(uintptr_t)value;
  field.namelen = name_size;
  field.valuelen = value_size;
  field.flags = is_sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
  return field;
}

/// A header field whose bytes live for ever: the library does not copy them.
static inline nghttp2_nv cnghttp2_fixed_field(const uint8_t *name, size_t name_size,
                                              const uint8_t *value, size_t value_size) {
  nghttp2_nv field = cnghttp2_field(name, name_size, value, value_size, 0);
  field.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
  return field;
}

/// memcmp and memcpy, which take no null pointers even for nothing.
static inline bool cnghttp2_equal(const void *left, const void *right, size_t size) {
  return size == 0 || memcmp(left, right, size) == 0;
}

static inline void cnghttp2_copy(void *target, const void *source, size_t size) {
  if (size) memcpy(target, source, size);
}

static inline int cnghttp2_is_end_of_stream(const nghttp2_frame *frame) {
  return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

#endif
