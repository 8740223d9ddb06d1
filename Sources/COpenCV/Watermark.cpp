// A visible mark of origin, drawn with OpenCV's built-in strokes: no font file is needed.
#include "Guard.hpp"

#include <algorithm>

#include <opencv2/imgproc.hpp>

oneshot_cv_status oneshot_cv_watermark(oneshot_cv_picture picture, const char *text, int32_t corner,
                                       float opacity, uint8_t *output) {
  return oneshot::guarded([&] {
    oneshot::require(text != nullptr && corner >= 0 && corner <= 4);
    oneshot::require(opacity >= 0 && opacity <= 1);
    const cv::Mat from = oneshot::borrowed(picture);
    const std::string words(text);
    oneshot::require(!words.empty() && words.size() <= 64);

    // About a third of the width, but readable on small pictures and modest on large ones.
    constexpr int font = cv::FONT_HERSHEY_DUPLEX;
    int baseline = 0;
    const cv::Size unit = cv::getTextSize(words, font, 1, 1, &baseline);
    const double wanted = std::clamp(from.cols * 0.34, 48.0, 900.0);
    const double scale = wanted / std::max(unit.width, 1);
    const int stroke = std::max(1, static_cast<int>(scale * 1.6));
    const cv::Size size = cv::getTextSize(words, font, scale, stroke, &baseline);
    const int margin = std::max(4, from.cols / 50) + stroke;
    const int right = std::max(margin, from.cols - size.width - margin);
    const int bottom = std::max(size.height + margin, from.rows - baseline / 2 - margin);
    const cv::Point places[] = {{margin, size.height + margin},
                                {right, size.height + margin},
                                {margin, bottom},
                                {right, bottom},
                                {(from.cols - size.width) / 2, (from.rows + size.height) / 2}};
    cv::Mat drawn = from.clone();
    const cv::Point place = places[corner];
    cv::putText(drawn, words, place, font, scale, cv::Scalar(16, 16, 16), stroke + 2, cv::LINE_AA);
    cv::putText(drawn, words, place, font, scale, cv::Scalar(250, 250, 250), stroke, cv::LINE_AA);
    cv::Mat result;
    cv::addWeighted(drawn, opacity, from, 1 - opacity, 0, result);
    oneshot::deliver(result, output);
  });
}
