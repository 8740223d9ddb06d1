// libvips for Swift: its calls are variadic and end with NULL, which Swift cannot write.
// Every function returns 0 on success and -1 on failure, with words in vips_error_buffer().
#ifndef ONESHOT_CVIPS_SHIM_H
#define ONESHOT_CVIPS_SHIM_H

#include <stdlib.h>
#include <vips/vips.h>

static inline void oneshot_vips_ignore(const gchar *domain, GLogLevelFlags level,
                                       const gchar *message, gpointer data) {
  (void)domain, (void)level, (void)message, (void)data;
}

// Lets libvips look for its plug-ins (HEIF, PDF, ImageMagick, …) where there are none.
static inline int oneshot_vips_forgo_plugins(void) {
  return setenv("VIPSHOME", "/nonexistent", 1);
}

// Starts libvips with one thread, no cache and four loaders only.
static inline int oneshot_vips_start(void) {
  g_log_set_default_handler(oneshot_vips_ignore, NULL);
  if (VIPS_INIT("oneshot") != 0) return -1;
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  vips_block_untrusted_set(TRUE);
  vips_operation_block_set("VipsForeignLoad", TRUE);
  vips_operation_block_set("VipsForeignLoadJpeg", FALSE);
  vips_operation_block_set("VipsForeignLoadPng", FALSE);
  vips_operation_block_set("VipsForeignLoadWebp", FALSE);
  vips_operation_block_set("VipsForeignLoadNsgif", FALSE);
  return 0;
}

// The loader for these bytes, as "VipsForeignLoadPngBuffer"; NULL when none is allowed.
static inline const char *oneshot_vips_loader(const void *bytes, size_t length) {
  return vips_foreign_find_load_buffer(bytes, length);
}

// Reads a header. The bytes must outlive the image.
static inline int oneshot_vips_open(const void *bytes, size_t length, VipsImage **out) {
  *out = vips_image_new_from_buffer(bytes, length, "", "access", VIPS_ACCESS_SEQUENTIAL,
                                    "fail_on", VIPS_FAIL_ON_TRUNCATED, NULL);
  return *out == NULL ? -1 : 0;
}

static inline int oneshot_vips_has_profile(VipsImage *in) {
  return vips_image_get_typeof(in, VIPS_META_ICC_NAME) != 0;
}

// Decodes upright, reduced (never enlarged) to fit into side × side; with has_profile also in sRGB.
// A picture without a profile is in sRGB already: exporting it would only shift its colours.
static inline int oneshot_vips_thumbnail(const void *bytes, size_t length, int side,
                                         int has_profile, VipsImage **out) {
  return vips_thumbnail_buffer((void *)bytes, length, out, side, "height", side, "size",
                               VIPS_SIZE_DOWN, "option_string", "[fail_on=truncated]", "fail_on",
                               VIPS_FAIL_ON_TRUNCATED, "intent", VIPS_INTENT_RELATIVE,
                               has_profile ? "export_profile" : NULL, "srgb", NULL);
}

static inline int oneshot_vips_to_srgb(VipsImage *in, VipsImage **out) {
  return vips_colourspace(in, out, VIPS_INTERPRETATION_sRGB, NULL);
}

// Lays a transparent picture on white.
static inline int oneshot_vips_flatten(VipsImage *in, VipsImage **out) {
  VipsArrayDouble *white = vips_array_double_newv(1, 255.0);
  const int code = vips_flatten(in, out, "background", white, NULL);
  vips_area_unref(VIPS_AREA(white));
  return code;
}

static inline int oneshot_vips_to_bytes(VipsImage *in, VipsImage **out) {
  return vips_cast_uchar(in, out, NULL);
}

// Borrows packed RGB bytes, which must outlive the image.
static inline int oneshot_vips_borrow(const void *pixels, size_t length, int width, int height,
                                      VipsImage **out) {
  VipsImage *raw =
      vips_image_new_from_memory(pixels, length, width, height, 3, VIPS_FORMAT_UCHAR);
  if (raw == NULL) return -1;
  const int code = vips_copy(raw, out, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
  g_object_unref(raw);
  return code;
}

// Reduces to exactly width × height.
static inline int oneshot_vips_reduce(VipsImage *in, int width, int height, VipsImage **out) {
  return vips_thumbnail_image(in, out, width, "height", height, "size", VIPS_SIZE_FORCE, NULL);
}

// Encodes without any metadata; free *bytes with g_free.
static inline int oneshot_vips_png(VipsImage *in, void **bytes, size_t *length) {
  return vips_pngsave_buffer(in, bytes, length, "compression", 6, "strip", TRUE, NULL);
}

#endif
