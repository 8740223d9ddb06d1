#include "Guard.hpp"

#include <opencv2/core/utils/logger.hpp>

#include <cstring>

namespace {
thread_local char lastWords[256] = "";
}

void oneshot::remember(const char *words) noexcept {
  std::strncpy(lastWords, words == nullptr ? "" : words, sizeof lastWords - 1);
  lastWords[sizeof lastWords - 1] = '\0';
}

void oneshot_cv_setup(void) {
  (void)oneshot::guarded([] {
    cv::setNumThreads(1);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    // OpenCV prints every exception that it throws to stderr unless somebody takes it.
    cv::redirectError(
        +[](int, const char *, const char *, const char *, int, void *) { return 0; });
  });
}

const char *oneshot_cv_last_error(void) { return lastWords; }
