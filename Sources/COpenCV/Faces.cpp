// Finds faces and eyes with Haar cascades.
#include "Guard.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

struct oneshot_cv_finder {
  cv::CascadeClassifier faces;
  cv::CascadeClassifier eyes;
};

namespace {

/// Detection runs on a picture of at most this side: cascades are slow and faces are large.
constexpr int detectionSide = 900;

/// Where eyes lie in a box of the face cascade, as shares of its size.
constexpr float usualEyeX = 0.31f, usualEyeY = 0.39f;

struct Candidate {
  cv::Rect box;
  double weight;
};

std::vector<Candidate> detect(cv::CascadeClassifier &cascade, const cv::Mat &gray, int neighbours,
                              int smallest) {
  std::vector<cv::Rect> boxes;
  std::vector<int> levels;
  std::vector<double> weights;
  cascade.detectMultiScale(gray, boxes, levels, weights, 1.1, neighbours, 0,
                           cv::Size(smallest, smallest), cv::Size(), true);
  std::vector<Candidate> found;
  for (size_t i = 0; i < boxes.size(); i++) found.push_back({boxes[i], weights[i]});
  return found;
}

/// The best pair of eyes inside a face, or nothing: level, apart, and where eyes can be.
bool findEyes(cv::CascadeClassifier &cascade, const cv::Mat &gray, const cv::Rect &face,
              cv::Point2f &left, cv::Point2f &right) {
  const cv::Rect upper(face.x, face.y + face.height / 6, face.width, face.height * 9 / 20);
  // The cascade wants eyes of 20 pixels: small faces are enlarged first.
  const double zoom = std::max(1.0, 200.0 / face.width);
  cv::Mat region;
  cv::resize(gray(upper), region, cv::Size(), zoom, zoom, cv::INTER_CUBIC);
  const int smallest = std::max(20, static_cast<int>(face.width * zoom * 0.12));
  const auto candidates = detect(cascade, region, 3, smallest);

  double best = -1e9;
  for (const auto &a : candidates) {
    for (const auto &b : candidates) {
      const cv::Point2f p((a.box.x + a.box.width * 0.5f) / static_cast<float>(zoom) + upper.x,
                          (a.box.y + a.box.height * 0.5f) / static_cast<float>(zoom) + upper.y);
      const cv::Point2f q((b.box.x + b.box.width * 0.5f) / static_cast<float>(zoom) + upper.x,
                          (b.box.y + b.box.height * 0.5f) / static_cast<float>(zoom) + upper.y);
      const float apart = (q.x - p.x) / face.width;
      const float tilt = std::abs(q.y - p.y) / face.width;
      if (apart < 0.26f || apart > 0.58f || tilt > 0.14f) continue;
      const float middle = ((p.x + q.x) / 2 - face.x) / face.width;
      const float height = ((p.y + q.y) / 2 - face.y) / face.height;
      if (std::abs(middle - 0.5f) > 0.15f || height < 0.26f || height > 0.52f) continue;
      const double penalty = 8 * std::abs(apart - 0.38) + 6 * tilt + 8 * std::abs(middle - 0.5) +
                             8 * std::abs(height - usualEyeY);
      const double score = 0.2 * (a.weight + b.weight) - penalty;
      if (score > best) {
        best = score;
        left = p;
        right = q;
      }
    }
  }
  return best > -1e9;
}

std::vector<Candidate> findCandidates(cv::CascadeClassifier &cascade, const cv::Mat &gray) {
  const int smallest = std::max(24, std::min(gray.cols, gray.rows) / 14);
  auto found = detect(cascade, gray, 4, smallest);
  if (!found.empty()) return found;
  cv::Mat even;
  cv::equalizeHist(gray, even);
  return detect(cascade, even, 3, smallest);
}

oneshot_cv_face describe(oneshot_cv_finder &finder, const cv::Mat &gray, const cv::Rect &box,
                         float scale) {
  const float x = box.x, y = box.y, width = box.width, height = box.height;
  cv::Point2f left(x + width * usualEyeX, y + height * usualEyeY);
  cv::Point2f right(x + width * (1 - usualEyeX), y + height * usualEyeY);
  const bool seen = findEyes(finder.eyes, gray, box, left, right);
  return {x / scale,      y / scale,       width / scale,   height / scale, left.x / scale,
          left.y / scale, right.x / scale, right.y / scale, seen ? 2 : 0};
}

}  // namespace

oneshot_cv_status oneshot_cv_finder_create(const char *face_cascade, const char *eye_cascade,
                                           oneshot_cv_finder **finder) {
  return oneshot::guarded([&] {
    oneshot::require(face_cascade != nullptr && eye_cascade != nullptr && finder != nullptr);
    auto made = std::make_unique<oneshot_cv_finder>();
    if (!made->faces.load(face_cascade) || !made->eyes.load(eye_cascade)) {
      throw oneshot::MissingModel();
    }
    *finder = made.release();
  });
}

void oneshot_cv_finder_destroy(oneshot_cv_finder *finder) { delete finder; }

oneshot_cv_status oneshot_cv_find_faces(oneshot_cv_finder *finder, oneshot_cv_picture picture,
                                        oneshot_cv_face *faces, int32_t capacity, int32_t *count) {
  return oneshot::guarded([&] {
    oneshot::require(finder != nullptr && faces != nullptr && capacity > 0 && count != nullptr);
    cv::Mat gray;
    cv::cvtColor(oneshot::borrowed(picture), gray, cv::COLOR_RGB2GRAY);
    const float scale =
        std::min(1.0f, static_cast<float>(detectionSide) / std::max(gray.cols, gray.rows));
    if (scale < 1) cv::resize(gray, gray, cv::Size(), scale, scale, cv::INTER_AREA);

    auto candidates = findCandidates(finder->faces, gray);
    std::vector<std::pair<double, oneshot_cv_face>> ranked;
    for (const auto &candidate : candidates) {
      const auto face = describe(*finder, gray, candidate.box, scale);
      // A face whose eyes are seen outranks a larger box without.
      const double rank = candidate.box.width * (face.eyes_seen == 2 ? 2.0 : 1.0);
      ranked.push_back({rank, face});
    }
    std::sort(ranked.begin(), ranked.end(),
                     [](const auto &a, const auto &b) { return a.first > b.first; });
    *count = std::min<int32_t>(capacity, static_cast<int32_t>(ranked.size()));
    for (int32_t i = 0; i < *count; i++) faces[i] = ranked[static_cast<size_t>(i)].second;
  });
}

oneshot_cv_ellipse oneshot_cv_face_ellipse(oneshot_cv_face face) {
  const float dx = face.right_eye_x - face.left_eye_x, dy = face.right_eye_y - face.left_eye_y;
  const float apart = std::max(1.0f, std::hypot(dx, dy));
  const float middleX = (face.left_eye_x + face.right_eye_x) / 2;
  const float middleY = (face.left_eye_y + face.right_eye_y) / 2;
  // From just above the brows to the chin; the axis stands square on the line of the eyes.
  const float down = 0.60f;
  return {middleX - dy * down,
          middleY + dx * down,
          0.92f * apart,
          1.12f * apart,
          static_cast<float>(std::atan2(dy, dx) * 180 / CV_PI)};
}
