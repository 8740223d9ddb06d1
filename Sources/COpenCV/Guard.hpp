// What every entry of the C interface stands behind: argument checks and the net for exceptions.
#pragma once

#include <new>
#include <string>

#include <opencv2/core.hpp>

#include "COpenCV.h"

namespace oneshot {

/// Keeps the words of a failure for `oneshot_cv_last_error`.
void remember(const char *words) noexcept;

/// Longest side of any picture that is accepted.
constexpr int maximumSide = 8192;

/// Thrown for an argument that breaks the contract of an entry.
struct InvalidArgument {};

/// Thrown when a cascade cannot be loaded.
struct MissingModel {};

inline void require(bool condition) {
  if (!condition) throw InvalidArgument();
}

/// Runs `body` and turns whatever it throws into a status.
template <typename Body>
oneshot_cv_status guarded(Body &&body) noexcept {
  try {
    body();
    return ONESHOT_CV_OK;
  } catch (const InvalidArgument &) {
    remember("invalid argument");
    return ONESHOT_CV_INVALID_ARGUMENT;
  } catch (const MissingModel &) {
    remember("missing model");
    return ONESHOT_CV_MISSING_MODEL;
  } catch (const std::bad_alloc &) {
    remember("out of memory");
    return ONESHOT_CV_OUT_OF_MEMORY;
  } catch (const cv::Exception &error) {
    remember(error.what());
    return error.code == cv::Error::StsNoMem ? ONESHOT_CV_OUT_OF_MEMORY : ONESHOT_CV_FAILED;
  } catch (const std::exception &error) {
    remember(error.what());
    return ONESHOT_CV_FAILED;
  } catch (...) {
    remember("unknown exception");
    return ONESHOT_CV_FAILED;
  }
}

/// The picture as a matrix over the caller's bytes, which must be read only.
inline cv::Mat borrowed(const oneshot_cv_picture &picture) {
  require(picture.pixels != nullptr && picture.width > 0 && picture.height > 0);
  require(picture.width <= maximumSide && picture.height <= maximumSide);
  return cv::Mat(picture.height, picture.width, CV_8UC3, const_cast<uint8_t *>(picture.pixels));
}

/// A matrix over the bytes that the caller wants filled.
inline cv::Mat destination(uint8_t *output, int width, int height, int type = CV_8UC3) {
  require(output != nullptr);
  return cv::Mat(height, width, type, output);
}

/// Copies a finished matrix to the caller's bytes.
inline void deliver(const cv::Mat &result, uint8_t *output) {
  cv::Mat target = destination(output, result.cols, result.rows, result.type());
  result.copyTo(target);
}

}  // namespace oneshot
