// The floor: a gRPC echo server on nghttp2, protobuf-c and epoll, one thread, no framework.
//
//   echod --port N [--certificate FILE --key FILE --authority FILE]
//
// Answers EchoService/Echo and /ServerStream; with certificates it speaks mutual TLS. It decodes and
// encodes every message, but knows no deadlines, limits or metadata: the cost that a server on these
// libraries cannot go below. Used by `make bench-rpc`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.pb-c.h"

enum { max_message = 1 << 20, max_replies = 10000, buffer_size = 1 << 16, prefix_size = 5 };
enum { done = 0, again = -1, failed = -2 };

typedef struct {
  uint8_t *bytes;
  size_t size, capacity;
} buffer;

typedef struct {
  buffer request, reply;
  size_t sent;
  int is_stream;
} call;

typedef struct {
  int descriptor;
  SSL *tls;
  nghttp2_session *session;
  buffer pending;
  size_t pending_sent;
  int wants_write;
} connection;

static int epoll_descriptor;
static SSL_CTX *tls_context;
static uint8_t scratch[buffer_size];

#define FIELD(name, value)                                                       \
  {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1,   \
   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

static uint8_t *grow(buffer *b, size_t count) {
  if (b->size + count > b->capacity) {
    b->capacity = (b->size + count) * 2;
    b->bytes = realloc(b->bytes, b->capacity);
  }
  uint8_t *start = b->bytes + b->size;
  b->size += count;
  return start;
}

// --- gRPC: what the calls answer ---------------------------------------------------------------

static void append_message(buffer *reply, const ProtobufCMessage *message) {
  size_t size = protobuf_c_message_get_packed_size(message);
  uint8_t *frame = grow(reply, prefix_size + size);
  uint32_t network_size = htonl((uint32_t)size);
  frame[0] = 0;
  memcpy(frame + 1, &network_size, sizeof network_size);
  protobuf_c_message_pack(message, frame + prefix_size);
}

static int answer_unary(call *c, const uint8_t *message, size_t size) {
  Oneshot__Echo__V1__EchoRequest *request =
      oneshot__echo__v1__echo_request__unpack(NULL, size, message);
  if (request == NULL) return failed;
  Oneshot__Echo__V1__EchoResponse response = ONESHOT__ECHO__V1__ECHO_RESPONSE__INIT;
  response.payload = request->payload;
  response.text = request->text;
  append_message(&c->reply, &response.base);
  oneshot__echo__v1__echo_request__free_unpacked(request, NULL);
  return done;
}

static int answer_stream(call *c, const uint8_t *message, size_t size) {
  Oneshot__Echo__V1__ServerStreamRequest *request =
      oneshot__echo__v1__server_stream_request__unpack(NULL, size, message);
  if (request == NULL) return failed;
  Oneshot__Echo__V1__ServerStreamResponse response = ONESHOT__ECHO__V1__SERVER_STREAM_RESPONSE__INIT;
  response.payload = request->payload;
  for (int32_t i = 0; i < request->count && i < max_replies; i++) {
    response.index = i;
    append_message(&c->reply, &response.base);
  }
  oneshot__echo__v1__server_stream_request__free_unpacked(request, NULL);
  return done;
}

static int answer(call *c) {
  uint32_t size;
  if (c->request.size < prefix_size) return failed;
  memcpy(&size, c->request.bytes + 1, sizeof size);
  size = ntohl(size);
  if (c->request.bytes[0] != 0 || size != c->request.size - prefix_size) return failed;
  return (c->is_stream ? answer_stream : answer_unary)(c, c->request.bytes + prefix_size, size);
}

// --- HTTP/2 ------------------------------------------------------------------------------------

static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *target, size_t room,
                          uint32_t *flags, nghttp2_data_source *source, void *data) {
  (void)data;
  call *c = source->ptr;
  size_t left = c->reply.size - c->sent;
  size_t count = left < room ? left : room;
  memcpy(target, c->reply.bytes + c->sent, count);
  c->sent += count;
  if (c->sent == c->reply.size) {
    nghttp2_nv trailers[] = {FIELD("grpc-status", "0")};
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, trailers, 1);
  }
  return (ssize_t)count;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  (void)data;
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, calloc(1, sizeof(call)));
  return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *data) {
  static const char stream_path[] = "/oneshot.echo.v1.EchoService/ServerStream";
  (void)flags;
  (void)data;
  if (name_size == 5 && memcmp(name, ":path", 5) == 0 && value_size == sizeof stream_path - 1 &&
      memcmp(value, stream_path, value_size) == 0) {
    call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (c != NULL) c->is_stream = 1;
  }
  return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t count, void *data) {
  (void)flags;
  (void)data;
  call *c = nghttp2_session_get_stream_user_data(session, id);
  if (c == NULL || c->request.size + count > max_message) return 0;
  memcpy(grow(&c->request, count), bytes, count);
  return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  (void)data;
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  call *c = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (c == NULL) return 0;
  nghttp2_nv headers[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc"),
                          FIELD("grpc-status", "13")};
  if (answer(c) == failed) {
    return nghttp2_submit_response(session, frame->hd.stream_id, headers, 3, NULL);
  }
  nghttp2_data_provider provider = {.source.ptr = c, .read_callback = read_reply};
  return nghttp2_submit_response(session, frame->hd.stream_id, headers, 2, &provider);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *data) {
  (void)code;
  (void)data;
  call *c = nghttp2_session_get_stream_user_data(session, id);
  if (c != NULL) {
    free(c->request.bytes);
    free(c->reply.bytes);
  }
  free(c);
  return 0;
}

// --- the socket, plain or TLS ------------------------------------------------------------------

static ssize_t outcome(SSL *tls, int result) {
  int error = SSL_get_error(tls, result);
  return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? again : failed;
}

static ssize_t read_some(connection *c) {
  if (c->tls != NULL) {
    int count = SSL_read(c->tls, scratch, sizeof scratch);
    return count > 0 ? count : outcome(c->tls, count);
  }
  ssize_t count = recv(c->descriptor, scratch, sizeof scratch, 0);
  return count > 0 ? count : count < 0 && errno == EAGAIN ? again : failed;
}

static ssize_t write_some(connection *c, const uint8_t *bytes, size_t size) {
  if (c->tls != NULL) {
    int count = SSL_write(c->tls, bytes, (int)size);
    return count > 0 ? count : outcome(c->tls, count);
  }
  ssize_t count = send(c->descriptor, bytes, size, MSG_NOSIGNAL);
  return count > 0 ? count : count < 0 && errno == EAGAIN ? again : failed;
}

static void watch(connection *c, int wants_write) {
  if (c->wants_write == wants_write) return;
  c->wants_write = wants_write;
  struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll_descriptor, EPOLL_CTL_MOD, c->descriptor, &event);
}

static void gather(connection *c) {
  const uint8_t *bytes;
  ssize_t count;
  while (c->pending.size < buffer_size &&
         (count = nghttp2_session_mem_send(c->session, &bytes)) > 0) {
    memcpy(grow(&c->pending, (size_t)count), bytes, (size_t)count);
  }
}

static int flush(connection *c) {
  for (;;) {
    if (c->pending_sent == c->pending.size) {
      c->pending_sent = c->pending.size = 0;
      gather(c);
      if (c->pending.size == 0) break;
    }
    ssize_t count =
        write_some(c, c->pending.bytes + c->pending_sent, c->pending.size - c->pending_sent);
    if (count == failed) return failed;
    if (count == again) {
      watch(c, 1);
      return done;
    }
    c->pending_sent += (size_t)count;
  }
  watch(c, 0);
  return done;
}

static void end(connection *c) {
  nghttp2_session_del(c->session);
  if (c->tls != NULL) SSL_free(c->tls);
  close(c->descriptor);
  free(c->pending.bytes);
  free(c);
}

// Plain: one read an event. TLS: as many as there are records, of which epoll knows nothing.
static void serve(connection *c) {
  do {
    ssize_t count = read_some(c);
    if (count == failed) return end(c);
    if (count == again) break;
    if (nghttp2_session_mem_recv(c->session, scratch, (size_t)count) < 0) return end(c);
  } while (c->tls != NULL);
  if (c->tls != NULL && !SSL_is_init_finished(c->tls)) return;
  if (flush(c) == failed) end(c);
}

static void accept_one(int listener) {
  int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return;
  int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connection *c = calloc(1, sizeof *c);
  c->descriptor = descriptor;
  if (tls_context != NULL) {
    c->tls = SSL_new(tls_context);
    SSL_set_fd(c->tls, descriptor);
    SSL_set_accept_state(c->tls);
  }
  nghttp2_session_callbacks *callbacks;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  nghttp2_option *options;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_session_server_new2(&c->session, callbacks, c, options);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10000}};
  nghttp2_submit_settings(c->session, 0, settings, 1);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, descriptor, &event);
}

static int select_h2(SSL *tls, const unsigned char **out, unsigned char *out_size,
                     const unsigned char *offered, unsigned int offered_size, void *data) {
  (void)tls;
  (void)data;
  static const unsigned char ours[] = "\x02h2";
  return SSL_select_next_proto((unsigned char **)out, out_size, ours, sizeof ours - 1, offered,
                               offered_size) == OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int make_tls(const char *certificate, const char *key, const char *authority) {
  tls_context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(tls_context, TLS1_3_VERSION);
  SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(tls_context, 1);
  SSL_CTX_set_verify(tls_context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_set_alpn_select_cb(tls_context, select_h2, NULL);
  return SSL_CTX_use_certificate_chain_file(tls_context, certificate) == 1 &&
                 SSL_CTX_use_PrivateKey_file(tls_context, key, SSL_FILETYPE_PEM) == 1 &&
                 SSL_CTX_load_verify_locations(tls_context, authority, NULL) == 1
             ? done
             : failed;
}

static int listen_on(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) return failed;
  return listen(listener, 512) < 0 ? failed : listener;
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                          {"certificate", required_argument, NULL, 'c'},
                                          {"key", required_argument, NULL, 'k'},
                                          {"authority", required_argument, NULL, 'a'},
                                          {0}};
  const char *certificate = NULL, *key = NULL, *authority = NULL;
  int port = 0, option;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == 'p') port = atoi(optarg);
    if (option == 'c') certificate = optarg;
    if (option == 'k') key = optarg;
    if (option == 'a') authority = optarg;
  }
  if (certificate != NULL && key != NULL && authority != NULL &&
      make_tls(certificate, key, authority) == failed) {
    fprintf(stderr, "echod: the certificate files cannot be used\n");
    return 1;
  }
  int listener = listen_on(port);
  if (listener < 0) {
    perror("echod");
    return 1;
  }
  epoll_descriptor = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event ready[64];
    int count = epoll_wait(epoll_descriptor, ready, 64, -1);
    for (int i = 0; i < count; i++) {
      if (ready[i].data.ptr == NULL) accept_one(listener);
      else serve(ready[i].data.ptr);
    }
  }
}
