// Puts one person's face into another's picture: align by the eyes, match colours, clone.
#include "Guard.hpp"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>
#include <opencv2/photo.hpp>

namespace {

/// How much of the new face is the Poisson clone; the rest is the colour-matched face itself.
constexpr double greatestCloneShare = 0.5;

/// The similarity transform that carries the source's eyes onto the target's.
cv::Matx23f alignment(const oneshot_cv_face &from, const oneshot_cv_face &to) {
  const cv::Point2f a(from.left_eye_x, from.left_eye_y), b(from.right_eye_x, from.right_eye_y);
  const cv::Point2f c(to.left_eye_x, to.left_eye_y), d(to.right_eye_x, to.right_eye_y);
  const cv::Point2f u = b - a, v = d - c;
  const float length = u.x * u.x + u.y * u.y;
  oneshot::require(length >= 1);
  const float cosine = (u.x * v.x + u.y * v.y) / length;
  const float sine = (u.x * v.y - u.y * v.x) / length;
  const cv::Point2f from_middle = (a + b) * 0.5f, to_middle = (c + d) * 0.5f;
  return {cosine, -sine,  to_middle.x - cosine * from_middle.x + sine * from_middle.y,
          sine,   cosine, to_middle.y - sine * from_middle.x - cosine * from_middle.y};
}

/// 255 inside the ellipse, whose radii are first multiplied by `share`.
cv::Mat ellipseMask(const oneshot_cv_ellipse &ellipse, cv::Size size, float share = 1) {
  cv::Mat mask = cv::Mat::zeros(size, CV_8UC1);
  const cv::Size2f axes(ellipse.radius_x * 2 * share, ellipse.radius_y * 2 * share);
  const cv::Point2f middle(ellipse.center_x, ellipse.center_y);
  cv::ellipse(mask, cv::RotatedRect(middle, axes, ellipse.angle), cv::Scalar(255), cv::FILLED);
  return mask;
}

/// Shifts and scales each Lab channel of `picture` towards the statistics of `reference`.
cv::Mat transferColors(const cv::Mat &picture, const cv::Mat &reference, const cv::Mat &mask,
                       float amount) {
  cv::Mat from, to;
  picture.convertTo(from, CV_32F, 1 / 255.0);
  reference.convertTo(to, CV_32F, 1 / 255.0);
  cv::cvtColor(from, from, cv::COLOR_RGB2Lab);
  cv::cvtColor(to, to, cv::COLOR_RGB2Lab);
  cv::Scalar fromMean, fromSpread, toMean, toSpread;
  cv::meanStdDev(from, fromMean, fromSpread, mask);
  cv::meanStdDev(to, toMean, toSpread, mask);

  std::vector<cv::Mat> channels;
  cv::split(from, channels);
  for (int i = 0; i < 3; i++) {
    // Colour may get paler, not stronger: that would paint lips and glasses.
    const double highest = i == 0 ? 1.15 : 1.0;
    const double ratio = std::clamp(toSpread[i] / std::max(fromSpread[i], 1e-3), 0.75, highest);
    const double gain = 1 + amount * (ratio - 1);
    const double shift = amount * (toMean[i] - fromMean[i]);
    channels[static_cast<size_t>(i)] =
        (channels[static_cast<size_t>(i)] - fromMean[i]) * gain + fromMean[i] + shift;
  }
  cv::merge(channels, from);
  cv::cvtColor(from, from, cv::COLOR_Lab2RGB);
  cv::Mat result;
  from.convertTo(result, CV_8U, 255);
  return result;
}

/// Alpha 0…1 that is zero wherever `mask` is, and rises inwards over about `width` pixels.
cv::Mat feather(const cv::Mat &mask, float width) {
  cv::Mat distance;
  cv::distanceTransform(mask, distance, cv::DIST_L2, 5);
  cv::Mat alpha = distance / std::max(width, 1.0f);
  cv::min(alpha, 1.0, alpha);
  return alpha.mul(alpha).mul(3 - 2 * alpha);
}

}  // namespace

oneshot_cv_status oneshot_cv_align_face(oneshot_cv_picture source, oneshot_cv_face source_face,
                                        oneshot_cv_picture target, oneshot_cv_face target_face,
                                        float color_transfer, uint8_t *aligned, uint8_t *mask) {
  return oneshot::guarded([&] {
    oneshot::require(color_transfer >= 0 && color_transfer <= 1 && aligned != nullptr);
    const cv::Mat from = oneshot::borrowed(source), to = oneshot::borrowed(target);
    const auto transform = alignment(source_face, target_face);
    const auto ellipse = oneshot_cv_face_ellipse(target_face);
    const cv::Mat place = ellipseMask(ellipse, to.size());

    // A face that shrinks is softened first, or its detail would alias.
    const float scale = std::hypot(transform(0, 0), transform(1, 0));
    cv::Mat soft = from, warped;
    if (scale < 0.9f) {
      cv::GaussianBlur(from, soft, cv::Size(), 0.5 * std::sqrt(1 / (scale * scale) - 1));
    }
    cv::warpAffine(soft, warped, transform, to.size(), cv::INTER_CUBIC, cv::BORDER_REFLECT_101);
    // Where the source's picture ends inside the ellipse, the target must stay.
    cv::Mat covered;
    cv::warpAffine(cv::Mat(from.size(), CV_8UC1, cv::Scalar(255)), covered, transform, to.size(),
                   cv::INTER_NEAREST);
    cv::Mat region;
    cv::bitwise_and(place, covered, region);
    oneshot::require(cv::countNonZero(region) > 0);
    // Colours are compared where there is skin in both: hair and collars lie at the rim.
    cv::Mat skin;
    cv::bitwise_and(ellipseMask(ellipse, to.size(), 0.75f), covered, skin);
    oneshot::deliver(transferColors(warped, to, skin, color_transfer), aligned);
    oneshot::deliver(region, mask);
  });
}

oneshot_cv_status oneshot_cv_clone_face(oneshot_cv_picture target, const uint8_t *aligned,
                                        const uint8_t *mask, float blend, float strength,
                                        uint8_t *output) {
  return oneshot::guarded([&] {
    oneshot::require(aligned != nullptr && mask != nullptr);
    oneshot::require(blend >= 0 && blend <= 1 && strength >= 0 && strength <= 1);
    const cv::Mat to = oneshot::borrowed(target);
    const cv::Mat from(to.size(), CV_8UC3, const_cast<uint8_t *>(aligned));
    const cv::Mat region(to.size(), CV_8UC1, const_cast<uint8_t *>(mask));
    const cv::Rect box = cv::boundingRect(region);
    oneshot::require(box.area() > 0);

    // seamlessClone wants the mask's box strictly inside the picture: a border is lent to it.
    constexpr int border = 8;
    cv::Mat paddedTo, paddedFrom, paddedMask, cloned;
    const auto pad = [&](const cv::Mat &in, cv::Mat &out, int mode) {
      cv::copyMakeBorder(in, out, border, border, border, border, mode);
    };
    pad(to, paddedTo, cv::BORDER_REPLICATE);
    pad(from, paddedFrom, cv::BORDER_REPLICATE);
    pad(region, paddedMask, cv::BORDER_CONSTANT);
    const cv::Rect padded = cv::boundingRect(paddedMask);
    const cv::Point middle(padded.x + padded.width / 2, padded.y + padded.height / 2);
    cv::seamlessClone(paddedFrom, paddedTo, paddedMask, middle, cloned, cv::NORMAL_CLONE);
    cloned = cloned(cv::Rect(border, border, to.cols, to.rows));
    // Where the rim differs (fringe against forehead), the clone alone drifts in brightness.
    const double share = blend * greatestCloneShare;
    cv::addWeighted(cloned, share, from, 1 - share, 0, cloned);

    cv::Mat alpha = feather(region, 0.16f * static_cast<float>(std::min(box.width, box.height)));
    alpha *= strength;
    cv::Mat result = to.clone();
    for (int y = box.y; y < box.y + box.height; y++) {
      const auto *weights = alpha.ptr<float>(y);
      const auto *fresh = cloned.ptr<cv::Vec3b>(y);
      auto *row = result.ptr<cv::Vec3b>(y);
      for (int x = box.x; x < box.x + box.width; x++) {
        if (weights[x] <= 0) continue;
        for (int c = 0; c < 3; c++) {
          const int old = row[x][c], difference = fresh[x][c] - old;
          row[x][c] = cv::saturate_cast<uint8_t>(old + weights[x] * difference);
        }
      }
    }
    oneshot::deliver(result, output);
  });
}
