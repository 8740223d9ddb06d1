// zlib with the few things that Swift cannot say itself: its "functions" that are macros.
#ifndef ONESHOT_CZLIB_SHIM_H
#define ONESHOT_CZLIB_SHIM_H

#include <zlib.h>

/// Window of 32 KiB; 16 more asks for gzip's header and trailer.
#define CZLIB_GZIP_WINDOW (MAX_WBITS + 16)

static inline int czlib_deflate_init(z_stream *stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, CZLIB_GZIP_WINDOW, MAX_MEM_LEVEL - 1,
                      Z_DEFAULT_STRATEGY);
}

static inline int czlib_inflate_init(z_stream *stream) {
  return inflateInit2(stream, CZLIB_GZIP_WINDOW);
}

#endif
