// Noise: measuring it, and removing it by thresholding overlapping cosine transforms.
#pragma once

#include <vector>

#include <opencv2/core.hpp>

namespace oneshot {

/// Standard deviation of the noise in a float plane.
///
/// The median absolute response of the diagonal Haar wavelet (Donoho and Johnstone, 1994): edges
/// hardly move a median.
float noise(const cv::Mat &plane);

/// Brightness, red against blue, and green against both, as float planes of an orthonormal
/// basis: independent noise of the channels keeps its sigma in each.
std::vector<cv::Mat> opponentPlanes(const cv::Mat &picture);

/// An RGB picture without the share `strength` (0…1 and a little more) of its noise.
///
/// Two passes over overlapping 8×8 blocks of each opponent plane: the first drops every
/// coefficient under a threshold, the second is a Wiener filter that trusts the first.
cv::Mat denoised(const cv::Mat &picture, float strength);

}  // namespace oneshot
