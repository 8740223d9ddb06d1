#include "Denoise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace {

constexpr int side = 8, area = side * side;
/// Blocks start at every second pixel: a sixteenfold average, a quarter of the full cost.
constexpr int step = 2;
/// Coefficients under this many sigmas are noise (Yu and Sapiro, "DCT image denoising", 2011).
constexpr float threshold = 2.7f;

using Block = std::array<float, area>;

/// The orthonormal 8-point cosine basis; row k is the k-th frequency.
const Block &basis() {
  static const Block table = [] {
    Block made{};
    for (int k = 0; k < side; k++) {
      const double scale = k == 0 ? std::sqrt(1.0 / side) : std::sqrt(2.0 / side);
      for (int n = 0; n < side; n++) {
        made[static_cast<size_t>(k * side + n)] =
            static_cast<float>(scale * std::cos(CV_PI * (2 * n + 1) * k / (2.0 * side)));
      }
    }
    return made;
  }();
  return table;
}

/// out = left × right, or left × rightᵀ, of 8×8 matrices.
inline void multiply(const float *left, const float *right, float *out) {
  for (int i = 0; i < side; i++) {
    float row[side] = {};
    for (int k = 0; k < side; k++) {
      const float factor = left[i * side + k];
      for (int j = 0; j < side; j++) row[j] += factor * right[k * side + j];
    }
    std::copy(row, row + side, out + i * side);
  }
}

Block transposed(const Block &matrix) {
  Block result{};
  for (size_t i = 0; i < side; i++)
    for (size_t j = 0; j < side; j++) result[j * side + i] = matrix[i * side + j];
  return result;
}

/// The two-dimensional transforms of one block.
class Transform {
 public:
  Transform() : forward_(basis()), inverse_(transposed(basis())) {}
  void forward(const float *block, float *out) const {
    float half[area];
    multiply(forward_.data(), block, half);
    multiply(half, inverse_.data(), out);
  }
  void inverse(const float *block, float *out) const {
    float half[area];
    multiply(inverse_.data(), block, half);
    multiply(half, forward_.data(), out);
  }

 private:
  Block forward_, inverse_;
};

void load(const cv::Mat &plane, int x, int y, float *block) {
  for (int row = 0; row < side; row++) {
    const float *from = plane.ptr<float>(y + row) + x;
    std::copy(from, from + side, block + row * side);
  }
}

void add(cv::Mat &sum, cv::Mat &weights, int x, int y, const float *block, float weight) {
  for (int row = 0; row < side; row++) {
    float *into = sum.ptr<float>(y + row) + x;
    float *count = weights.ptr<float>(y + row) + x;
    for (int column = 0; column < side; column++) {
      into[column] += weight * block[row * side + column];
      count[column] += weight;
    }
  }
}

/// Positions of blocks along an axis; the last one always touches the end.
std::vector<int> starts(int length) {
  std::vector<int> result;
  for (int at = 0; at < length - side; at += step) result.push_back(at);
  result.push_back(length - side);
  return result;
}

/// One pass over one plane. With a `guide`, a Wiener filter; without, a hard threshold.
cv::Mat filtered(const cv::Mat &plane, const cv::Mat *guide, float sigma) {
  const Transform transform;
  cv::Mat sum = cv::Mat::zeros(plane.size(), CV_32F);
  cv::Mat weights = cv::Mat::zeros(plane.size(), CV_32F);
  const float cut = threshold * sigma, power = sigma * sigma;
  const auto columns = starts(plane.cols), rows = starts(plane.rows);
  float block[area], noisy[area], clean[area];
  for (const int y : rows) {
    for (const int x : columns) {
      load(plane, x, y, block);
      transform.forward(block, noisy);
      float cost = 0;
      if (guide == nullptr) {
        for (int i = 1; i < area; i++) {
          if (std::abs(noisy[i]) < cut) noisy[i] = 0;
          else cost += 1;
        }
        cost += 1;
      } else {
        load(*guide, x, y, block);
        transform.forward(block, clean);
        for (int i = 0; i < area; i++) {
          const float energy = clean[i] * clean[i], gain = i == 0 ? 1 : energy / (energy + power);
          noisy[i] *= gain;
          cost += gain * gain;
        }
      }
      transform.inverse(noisy, block);
      // Blocks that needed few coefficients are the trustworthy ones.
      add(sum, weights, x, y, block, 1 / std::max(cost, 0.01f));
    }
  }
  return sum / weights;
}

/// A plane without the share `strength` of the noise that it shows itself.
cv::Mat cleaned(const cv::Mat &plane, float strength) {
  const float sigma = oneshot::noise(plane) * strength;
  if (sigma < 0.5f) return plane;
  const cv::Mat first = filtered(plane, nullptr, sigma);
  return filtered(plane, &first, sigma);
}

/// Orthonormal opponent colours: brightness, red against blue, green against both.
const cv::Matx33f opponent(0.57735027f, 0.57735027f, 0.57735027f,    //
                           0.70710678f, 0, -0.70710678f,             //
                           0.40824829f, -0.81649658f, 0.40824829f);

}  // namespace

float oneshot::noise(const cv::Mat &plane) {
  std::vector<float> responses;
  responses.reserve(plane.total() / 4 + 1);
  for (int row = 0; row + 1 < plane.rows; row += 2) {
    const float *a = plane.ptr<float>(row), *b = plane.ptr<float>(row + 1);
    for (int x = 0; x + 1 < plane.cols; x += 2) {
      const float response = std::abs(a[x] - a[x + 1] - b[x] + b[x + 1]) / 2;
      // Exactly flat ground is clipped or drawn: it says nothing about noise.
      if (response > 0) responses.push_back(response);
    }
  }
  if (responses.size() < 16) return 0;
  const auto middle = responses.begin() + static_cast<std::ptrdiff_t>(responses.size() / 2);
  std::nth_element(responses.begin(), middle, responses.end());
  return *middle / 0.6745f;
}

std::vector<cv::Mat> oneshot::opponentPlanes(const cv::Mat &picture) {
  cv::Mat wide;
  picture.convertTo(wide, CV_32F);
  cv::transform(wide, wide, opponent);
  std::vector<cv::Mat> planes;
  cv::split(wide, planes);
  return planes;
}

cv::Mat oneshot::denoised(const cv::Mat &picture, float strength) {
  const int right = std::max(0, side - picture.cols), bottom = std::max(0, side - picture.rows);
  cv::Mat padded;
  cv::copyMakeBorder(picture, padded, 0, bottom, 0, right, cv::BORDER_REPLICATE);
  auto planes = opponentPlanes(padded);
  for (auto &plane : planes) plane = cleaned(plane, strength);
  cv::Mat wide, result;
  cv::merge(planes, wide);
  cv::transform(wide, wide, opponent.t());
  wide(cv::Rect(0, 0, picture.cols, picture.rows)).convertTo(result, CV_8U);
  return result;
}
