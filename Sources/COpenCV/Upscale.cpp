// Enlargement: Lanczos, then back-projection, steered along edges.
#include "Guard.hpp"

#include <algorithm>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace {

/// Rounds of back-projection for each doubling.
constexpr int rounds = 2;
/// Levels of difference up to which neighbours count as the same side of an edge. Measured on
/// two portraits reduced 2 and 4 times: 6 gives 0.5 dB less, 60 gives 0.15 dB less.
constexpr double edgeTolerance = 30;

/// Smooths along edges only: a small bilateral filter in luminance.
cv::Mat alongEdges(const cv::Mat &plane, double tolerance) {
  cv::Mat result;
  cv::bilateralFilter(plane, result, 5, tolerance, 1.0, cv::BORDER_REFLECT);
  return result;
}

/// Moves `plane` until its reduction equals `small` (Irani and Peleg, 1991).
void backProject(cv::Mat &plane, const cv::Mat &small, float gain) {
  cv::Mat reduced, error;
  cv::resize(plane, reduced, small.size(), 0, 0, cv::INTER_AREA);
  error = (small - reduced) * gain;
  cv::resize(error, error, plane.size(), 0, 0, cv::INTER_CUBIC);
  plane += error;
}

/// Luminance, twice as large.
cv::Mat doubled(const cv::Mat &small) {
  cv::Mat large;
  cv::resize(small, large, small.size() * 2, 0, 0, cv::INTER_LANCZOS4);
  cv::Mat lowest, highest;
  cv::erode(small, lowest, cv::Mat());
  cv::dilate(small, highest, cv::Mat());
  cv::resize(lowest, lowest, large.size(), 0, 0, cv::INTER_NEAREST);
  cv::resize(highest, highest, large.size(), 0, 0, cv::INTER_NEAREST);
  const cv::Mat slack = (highest - lowest) * 0.1f + 2;
  const cv::Mat floor = lowest - slack, ceiling = highest + slack;
  for (int i = 0; i < rounds; i++) {
    large = alongEdges(large, edgeTolerance);
    backProject(large, small, 1.0f);
    // An edge may get steeper, never a halo.
    cv::max(large, floor, large);
    cv::min(large, ceiling, large);
  }
  return large;
}

}  // namespace

oneshot_cv_status oneshot_cv_upscale(oneshot_cv_picture picture, int32_t scale, uint8_t *output) {
  return oneshot::guarded([&] {
    oneshot::require(scale == 2 || scale == 4);
    const cv::Mat from = oneshot::borrowed(picture);
    const cv::Size size(from.cols * scale, from.rows * scale);
    oneshot::require(size.width <= oneshot::maximumSide && size.height <= oneshot::maximumSide);
    cv::Mat wide;
    from.convertTo(wide, CV_32F, 1 / 255.0);
    cv::cvtColor(wide, wide, cv::COLOR_RGB2YCrCb);
    std::vector<cv::Mat> planes;
    cv::split(wide, planes);
    planes[0] *= 255;
    for (int grown = 1; grown < scale; grown *= 2) planes[0] = doubled(planes[0]);
    planes[0] /= 255;
    for (size_t i = 1; i < 3; i++) {
      const cv::Mat small = planes[i].clone();
      cv::resize(small, planes[i], size, 0, 0, cv::INTER_CUBIC);
      backProject(planes[i], small, 1.0f);
    }
    cv::merge(planes, wide);
    cv::cvtColor(wide, wide, cv::COLOR_YCrCb2RGB);
    cv::Mat result;
    wide.convertTo(result, CV_8U, 255);
    oneshot::deliver(result, output);
  });
}

oneshot_cv_status oneshot_cv_bicubic(oneshot_cv_picture picture, int32_t width, int32_t height,
                                     uint8_t *output) {
  return oneshot::guarded([&] {
    oneshot::require(width > 0 && height > 0);
    oneshot::require(width <= oneshot::maximumSide && height <= oneshot::maximumSide);
    cv::Mat result;
    cv::resize(oneshot::borrowed(picture), result, cv::Size(width, height), 0, 0, cv::INTER_CUBIC);
    oneshot::deliver(result, output);
  });
}
