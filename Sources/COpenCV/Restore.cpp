// Restoration: noise, blur and contrast, each as one call.
#include "Guard.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <opencv2/imgproc.hpp>

#include "Denoise.hpp"

namespace {

/// Luminance as float 0…255.
cv::Mat luminance(const cv::Mat &picture) {
  cv::Mat gray;
  cv::cvtColor(picture, gray, cv::COLOR_RGB2GRAY);
  gray.convertTo(gray, CV_32F);
  return gray;
}

/// Replaces the luminance of `picture` (float YCrCb inside) by `change(y)`.
template <typename Change>
void deliverWithLuminance(const cv::Mat &picture, uint8_t *output, Change &&change) {
  cv::Mat wide;
  picture.convertTo(wide, CV_32F, 1 / 255.0);
  cv::cvtColor(wide, wide, cv::COLOR_RGB2YCrCb);
  std::vector<cv::Mat> planes;
  cv::split(wide, planes);
  planes[0] *= 255;
  planes[0] = change(planes[0]);
  planes[0] /= 255;
  cv::merge(planes, wide);
  cv::cvtColor(wide, wide, cv::COLOR_YCrCb2RGB);
  cv::Mat result;
  wide.convertTo(result, CV_8U, 255);
  oneshot::deliver(result, output);
}

/// Where detail is: 0 on flat ground (where only noise would be sharpened), 1 on edges.
cv::Mat detailMask(const cv::Mat &y) {
  cv::Mat dx, dy, strength;
  cv::Sobel(y, dx, CV_32F, 1, 0, 3, 1 / 8.0);
  cv::Sobel(y, dy, CV_32F, 0, 1, 3, 1 / 8.0);
  cv::magnitude(dx, dy, strength);
  cv::dilate(strength, strength, cv::Mat());
  cv::GaussianBlur(strength, strength, cv::Size(), 1.5);
  strength = (strength - 1.0) / 5.0;
  cv::max(strength, 0, strength);
  cv::min(strength, 1, strength);
  return strength;
}

/// Richardson-Lucy deconvolution of a Gaussian blur.
cv::Mat deconvolve(const cv::Mat &y, float sigma, int rounds) {
  const cv::Mat observed = cv::max(y, 1.0f);
  cv::Mat estimate = observed.clone();
  cv::Mat blurred, ratio;
  for (int i = 0; i < rounds; i++) {
    cv::GaussianBlur(estimate, blurred, cv::Size(), sigma, sigma, cv::BORDER_REFLECT);
    cv::divide(observed, cv::max(blurred, 1.0f), ratio);
    cv::GaussianBlur(ratio, ratio, cv::Size(), sigma, sigma, cv::BORDER_REFLECT);
    cv::multiply(estimate, ratio, estimate);
  }
  return estimate;
}

/// Keeps `y` within the range that its neighbourhood had before, plus a little: no halos.
cv::Mat withinLocalRange(const cv::Mat &y, const cv::Mat &before, float sigma, float overshoot) {
  const int size = 2 * static_cast<int>(std::ceil(sigma)) + 1;
  const cv::Mat kernel = cv::getStructuringElement(cv::MORPH_ELLIPSE, cv::Size(size, size));
  cv::Mat lowest, highest;
  cv::erode(before, lowest, kernel);
  cv::dilate(before, highest, kernel);
  const cv::Mat slack = (highest - lowest) * overshoot;
  const cv::Mat floor = lowest - slack, ceiling = highest + slack;
  cv::Mat result;
  cv::max(y, floor, result);
  cv::min(result, ceiling, result);
  return result;
}

/// The value below which `share` of the entries lie.
float quantile(std::vector<float> &values, double share) {
  const auto index = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  const auto place = values.begin() + index;
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

}  // namespace

oneshot_cv_status oneshot_cv_estimate_noise(oneshot_cv_picture picture, float *sigma) {
  return oneshot::guarded([&] {
    oneshot::require(sigma != nullptr);
    *sigma = oneshot::noise(oneshot::opponentPlanes(oneshot::borrowed(picture))[0]);
  });
}

oneshot_cv_status oneshot_cv_estimate_blur(oneshot_cv_picture picture, float *sigma) {
  return oneshot::guarded([&] {
    oneshot::require(sigma != nullptr);
    const cv::Mat y = luminance(oneshot::borrowed(picture));
    // Blurring an edge of radius s once more by r lowers its gradient by sqrt(s² + r²) / s
    // (Zhuo and Sim, "Defocus map estimation from a single image", 2011).
    constexpr float again = 1.0f;
    cv::Mat soft, dx, dy, sharpGradient, softGradient;
    cv::GaussianBlur(y, soft, cv::Size(), again);
    const auto gradient = [&](const cv::Mat &from, cv::Mat &into) {
      cv::Sobel(from, dx, CV_32F, 1, 0, 3, 1 / 8.0);
      cv::Sobel(from, dy, CV_32F, 0, 1, 3, 1 / 8.0);
      cv::magnitude(dx, dy, into);
    };
    gradient(y, sharpGradient);
    gradient(soft, softGradient);
    cv::Mat crest;
    cv::dilate(sharpGradient, crest, cv::Mat());
    std::vector<float> radii;
    for (int row = 1; row + 1 < y.rows; row++) {
      const float *sharp = sharpGradient.ptr<float>(row), *blunt = softGradient.ptr<float>(row);
      const float *top = crest.ptr<float>(row);
      for (int x = 1; x + 1 < y.cols; x++) {
        if (sharp[x] < 10 || sharp[x] < top[x]) continue;
        const float ratio = sharp[x] / std::max(blunt[x], 0.01f);
        if (ratio > 1.02f) radii.push_back(again / std::sqrt(ratio * ratio - 1));
      }
    }
    *sigma = radii.size() < 50 ? 0 : quantile(radii, 0.25);
  });
}

oneshot_cv_status oneshot_cv_denoise(oneshot_cv_picture picture, float strength, uint8_t *output) {
  return oneshot::guarded([&] {
    oneshot::require(strength >= 0 && strength <= 2);
    oneshot::deliver(oneshot::denoised(oneshot::borrowed(picture), strength), output);
  });
}

oneshot_cv_status oneshot_cv_deblur(oneshot_cv_picture picture, float sigma, float amount,
                                    uint8_t *output) {
  return oneshot::guarded([&] {
    oneshot::require(sigma >= 0 && sigma <= 8 && amount >= 0 && amount <= 2);
    const cv::Mat from = oneshot::borrowed(picture);
    if (sigma < 0.3f || amount == 0) return oneshot::deliver(from, output);
    deliverWithLuminance(from, output, [&](const cv::Mat &y) {
      const cv::Mat sharp = withinLocalRange(deconvolve(y, sigma, 10), y, sigma, 0.15f);
      const cv::Mat change = (sharp - y).mul(detailMask(y)) * amount;
      return cv::Mat(y + change);
    });
  });
}

oneshot_cv_status oneshot_cv_contrast(oneshot_cv_picture picture, float amount, uint8_t *output) {
  return oneshot::guarded([&] {
    oneshot::require(amount >= 0 && amount <= 1);
    const cv::Mat from = oneshot::borrowed(picture);
    if (amount == 0) return oneshot::deliver(from, output);
    deliverWithLuminance(from, output, [&](const cv::Mat &y) {
      std::vector<float> levels;
      for (int row = 0; row < y.rows; row += 2) {
        const float *values = y.ptr<float>(row);
        for (int x = 0; x < y.cols; x += 2) levels.push_back(values[x]);
      }
      const float black = std::min(quantile(levels, 0.002), 60.0f);
      const float white = std::max(quantile(levels, 0.998), 195.0f);
      cv::Mat stretched = (y - black) * (255.0f / (white - black));
      cv::min(cv::max(stretched, 0), 255, stretched);

      cv::Mat narrow, even;
      stretched.convertTo(narrow, CV_8U);
      cv::createCLAHE(1.6, cv::Size(4, 4))->apply(narrow, even);
      cv::Mat wideEven, wideNarrow;
      even.convertTo(wideEven, CV_32F);
      narrow.convertTo(wideNarrow, CV_32F);
      // The local part is added as a smooth change, so that 8-bit steps leave no bands.
      cv::Mat local = wideEven - wideNarrow;
      cv::GaussianBlur(local, local, cv::Size(), 2);
      cv::Mat result = y + amount * (stretched - y) + 0.35 * amount * local;
      cv::min(cv::max(result, 0), 255, result);
      return result;
    });
  });
}

oneshot_cv_status oneshot_cv_blend_patch(oneshot_cv_picture picture, oneshot_cv_picture patch,
                                         int32_t x, int32_t y, oneshot_cv_ellipse ellipse,
                                         uint8_t *output) {
  return oneshot::guarded([&] {
    const cv::Mat from = oneshot::borrowed(picture), over = oneshot::borrowed(patch);
    const cv::Rect box(x, y, over.cols, over.rows);
    oneshot::require((box & cv::Rect(0, 0, from.cols, from.rows)) == box);
    oneshot::require(ellipse.radius_x >= 1 && ellipse.radius_y >= 1);
    cv::Mat result = from.clone();
    const float radians = ellipse.angle * static_cast<float>(CV_PI / 180);
    const float cosine = std::cos(radians), sine = std::sin(radians);
    for (int row = 0; row < over.rows; row++) {
      const auto *fresh = over.ptr<cv::Vec3b>(row);
      auto *kept = result.ptr<cv::Vec3b>(y + row);
      for (int column = 0; column < over.cols; column++) {
        const float dx = static_cast<float>(x + column) - ellipse.center_x;
        const float dy = static_cast<float>(y + row) - ellipse.center_y;
        const float u = (dx * cosine + dy * sine) / ellipse.radius_x;
        const float v = (dy * cosine - dx * sine) / ellipse.radius_y;
        const float inside = std::clamp((1 - std::sqrt(u * u + v * v)) / 0.3f, 0.0f, 1.0f);
        const float weight = inside * inside * (3 - 2 * inside);
        for (int c = 0; c < 3; c++) {
          auto &value = kept[x + column][c];
          value = cv::saturate_cast<uint8_t>(value + weight * (fresh[column][c] - value));
        }
      }
    }
    oneshot::deliver(result, output);
  });
}
