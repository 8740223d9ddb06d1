// The C interface of the embedded picture provider.
//
// All pictures are packed 8-bit RGB in sRGB, `width * height * 3` bytes, rows without padding.
// No call keeps a pointer after it returns, none throws, and all are single-threaded: a process
// runs one picture at a time. Outputs are written only when the status is ONESHOT_CV_OK.
#ifndef ONESHOT_COPENCV_H
#define ONESHOT_COPENCV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What a call came to.
enum oneshot_cv_status {
  ONESHOT_CV_OK = 0,
  /// A null pointer, a size below 1 or a parameter outside its range.
  ONESHOT_CV_INVALID_ARGUMENT = 1,
  ONESHOT_CV_OUT_OF_MEMORY = 2,
  /// A cascade file is missing or is not one.
  ONESHOT_CV_MISSING_MODEL = 3,
  /// OpenCV threw; `oneshot_cv_last_error` has its words.
  ONESHOT_CV_FAILED = 4,
};

/// A borrowed picture.
struct oneshot_cv_picture {
  const uint8_t *pixels;
  int32_t width;
  int32_t height;
};

/// A face and its eyes, in pixels of the picture; "left" is the viewer's left.
struct oneshot_cv_face {
  float x, y, width, height;
  float left_eye_x, left_eye_y, right_eye_x, right_eye_y;
  /// 2 when the eye cascade saw both, else the eyes are placed by the usual proportions.
  int32_t eyes_seen;
};

/// The ellipse that holds a face from brow to chin.
struct oneshot_cv_ellipse {
  float center_x, center_y, radius_x, radius_y;
  /// Rotation, clockwise on the screen, in degrees.
  float angle;
};

/// Turns OpenCV's own threads and instruction-set chatter off. Call once, first.
void oneshot_cv_setup(void);

/// The words of the last failure of this thread; never null, valid until the next failure.
const char *oneshot_cv_last_error(void);

// Faces -----------------------------------------------------------------------------------------

struct oneshot_cv_finder;

/// Loads the cascades for faces and eyes from two XML files.
enum oneshot_cv_status oneshot_cv_finder_create(const char *face_cascade, const char *eye_cascade,
                                                struct oneshot_cv_finder **finder);
void oneshot_cv_finder_destroy(struct oneshot_cv_finder *finder);

/// Finds up to `capacity` frontal faces, the most prominent one first.
enum oneshot_cv_status oneshot_cv_find_faces(struct oneshot_cv_finder *finder,
                                             struct oneshot_cv_picture picture,
                                             struct oneshot_cv_face *faces, int32_t capacity,
                                             int32_t *count);

/// The ellipse from brow to chin of a face, by its eyes.
struct oneshot_cv_ellipse oneshot_cv_face_ellipse(struct oneshot_cv_face face);

// Restoration: each reads `picture` and writes a picture of the same size to `output`. ----------

/// Standard deviation of the noise in luminance, in levels of 255.
enum oneshot_cv_status oneshot_cv_estimate_noise(struct oneshot_cv_picture picture, float *sigma);

/// Radius (Gaussian sigma, in pixels) of the blur of the sharper edges; 0 when there are none.
enum oneshot_cv_status oneshot_cv_estimate_blur(struct oneshot_cv_picture picture, float *sigma);

/// Removes the noise that the picture shows; `strength` 0…2 scales it, 1 takes it as measured.
enum oneshot_cv_status oneshot_cv_denoise(struct oneshot_cv_picture picture, float strength,
                                          uint8_t *output);

/// Undoes a Gaussian blur of `sigma` pixels in luminance; halos stay within the local range.
enum oneshot_cv_status oneshot_cv_deblur(struct oneshot_cv_picture picture, float sigma,
                                         float amount, uint8_t *output);

/// Stretches the tonal range and evens local contrast; `amount` 0…1.
enum oneshot_cv_status oneshot_cv_contrast(struct oneshot_cv_picture picture, float amount,
                                           uint8_t *output);

/// Lays `patch` over `picture` at (x, y) within a soft-edged ellipse; nothing outside it changes.
enum oneshot_cv_status oneshot_cv_blend_patch(struct oneshot_cv_picture picture,
                                              struct oneshot_cv_picture patch, int32_t x, int32_t y,
                                              struct oneshot_cv_ellipse ellipse, uint8_t *output);

// Enlargement -----------------------------------------------------------------------------------

/// Enlarges a picture 2 or 4 times; `output` holds `width * scale * height * scale * 3` bytes.
enum oneshot_cv_status oneshot_cv_upscale(struct oneshot_cv_picture picture, int32_t scale,
                                          uint8_t *output);

/// Enlarges bicubically: the yardstick of the tests.
enum oneshot_cv_status oneshot_cv_bicubic(struct oneshot_cv_picture picture, int32_t width,
                                          int32_t height, uint8_t *output);

// Face swap -------------------------------------------------------------------------------------

/// Warps the source's face onto the target's eyes and takes over the target's colours.
///
/// `aligned` has the target's size; `mask` (one byte a pixel) is 255 where the face goes, else 0.
enum oneshot_cv_status oneshot_cv_align_face(struct oneshot_cv_picture source,
                                             struct oneshot_cv_face source_face,
                                             struct oneshot_cv_picture target,
                                             struct oneshot_cv_face target_face,
                                             float color_transfer, uint8_t *aligned, uint8_t *mask);

/// Clones `aligned` seamlessly into the target under `mask`; where it is 0, no byte changes.
///
/// `blend` 0…1 is how far light and colour follow the target, `strength` 0…1 how much of the old
/// face is replaced; a strength of 0 leaves the target as it is.
enum oneshot_cv_status oneshot_cv_clone_face(struct oneshot_cv_picture target,
                                             const uint8_t *aligned, const uint8_t *mask,
                                             float blend, float strength, uint8_t *output);

// Watermark -------------------------------------------------------------------------------------

/// Writes `text` (printable ASCII) into a corner, light with a dark edge; `opacity` 0…1.
///
/// `corner`: 0 top left, 1 top right, 2 bottom left, 3 bottom right, 4 centre.
enum oneshot_cv_status oneshot_cv_watermark(struct oneshot_cv_picture picture, const char *text,
                                            int32_t corner, float opacity, uint8_t *output);

#ifdef __cplusplus
}
#endif

#endif
