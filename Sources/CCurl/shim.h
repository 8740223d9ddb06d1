// What Swift needs of libcurl beyond its own header: its variadic setters by kind, and socket
// addresses as plain bytes.
#ifndef ONESHOT_CCURL_SHIM_H
#define ONESHOT_CCURL_SHIM_H

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(easy, option, value);
}

/// The library copies the string.
static inline CURLcode ccurl_set_string(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}

/// The library keeps the pointer.
static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}

/// For the write, header and read functions, which have one shape.
typedef size_t (*ccurl_data_callback)(char *bytes, size_t size, size_t count, void *user);
typedef curl_socket_t (*ccurl_open_callback)(void *user, curlsocktype purpose,
                                             struct curl_sockaddr *address);
typedef int (*ccurl_seek_callback)(void *user, curl_off_t offset, int origin);
typedef int (*ccurl_prereq_callback)(void *user, char *peer, char *local, int peer_port,
                                     int local_port);

static inline CURLcode ccurl_set_data_callback(CURL *easy, CURLoption option,
                                               ccurl_data_callback callback) {
  return curl_easy_setopt(easy, option, callback);
}

static inline CURLcode ccurl_set_open_callback(CURL *easy, ccurl_open_callback callback) {
  return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}

static inline CURLcode ccurl_set_seek_callback(CURL *easy, ccurl_seek_callback callback) {
  return curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, callback);
}

static inline CURLcode ccurl_set_prereq_callback(CURL *easy, ccurl_prereq_callback callback) {
  return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, callback);
}

static inline CURLcode ccurl_get_long(CURL *easy, CURLINFO info, long *value) {
  return curl_easy_getinfo(easy, info, value);
}

typedef int (*ccurl_socket_callback)(CURL *easy, curl_socket_t socket, int what, void *user,
                                     void *socket_user);
typedef int (*ccurl_timer_callback)(CURLM *multi, long timeout_ms, void *user);

static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}

/// Installs both callbacks with their user pointer; NULL removes them.
static inline CURLMcode ccurl_multi_set_callbacks(CURLM *multi, ccurl_socket_callback on_socket,
                                                  ccurl_timer_callback on_timer, void *user) {
  CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, user);
  if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, user);
  if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  return code;
}

/// The next finished transfer and its result; NULL when there is none.
static inline CURL *ccurl_multi_next_done(CURLM *multi, CURLcode *result) {
  int left = 0;
  CURLMsg *message = curl_multi_info_read(multi, &left);
  while (message && message->msg != CURLMSG_DONE) message = curl_multi_info_read(multi, &left);
  if (!message) return NULL;
  *result = message->data.result;
  return message->easy_handle;
}

/// Copies the address that a socket is about to be opened for: 4 or 16 bytes in network order.
/// Returns their count, 0 for another family. An IPv6 address is longer than `struct sockaddr`,
/// so it is read in place, never from a copy of the field.
static inline int ccurl_sockaddr_bytes(const struct curl_sockaddr *address, uint8_t out[16],
                                       uint16_t *port) {
  const void *raw = &address->addr;
  if (address->family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)raw;
    memcpy(out, &v4->sin_addr, 4);
    *port = ntohs(v4->sin_port);
    return 4;
  }
  if (address->family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)raw;
    memcpy(out, &v6->sin6_addr, 16);
    *port = ntohs(v6->sin6_port);
    return 16;
  }
  return 0;
}

/// Opens the socket that the library asks for, closed on exec.
static inline curl_socket_t ccurl_open_socket(const struct curl_sockaddr *address) {
  curl_socket_t descriptor = socket(address->family, address->socktype, address->protocol);
  if (descriptor >= 0) (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

/// Reads an address in text form: the count of its bytes, or 0 if it is none.
static inline int ccurl_parse_address(const char *text, uint8_t out[16]) {
  if (inet_pton(AF_INET, text, out) == 1) return 4;
  if (inet_pton(AF_INET6, text, out) == 1) return 16;
  return 0;
}

static inline int ccurl_seek_origin_is_start(int origin) { return origin == SEEK_SET; }

static inline size_t ccurl_read_abort(void) { return CURL_READFUNC_ABORT; }
static inline curl_socket_t ccurl_socket_bad(void) { return CURL_SOCKET_BAD; }
static inline curl_socket_t ccurl_socket_timeout(void) { return CURL_SOCKET_TIMEOUT; }

#endif
