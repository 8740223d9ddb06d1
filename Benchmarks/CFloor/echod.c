// The floor: a gRPC echo server on nghttp2 and epoll, one thread, no framework.
//
//   echod PORT        answers every unary call with the message it was sent
//
// It does what the protocol needs and nothing more: no deadlines, no limits, no metadata. Used by
// `make bench-rpc` as the cost that a server on nghttp2 cannot go below.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { max_message = 1 << 20, buffer_size = 1 << 16 };

typedef struct {
  uint8_t *bytes;
  size_t size, capacity, sent;
} call;

typedef struct {
  int descriptor;
  nghttp2_session *session;
  uint8_t *pending;
  size_t pending_size, pending_capacity, pending_sent;
  int wants_write;
} connection;

static int epoll_descriptor;
static uint8_t scratch[buffer_size];

#define FIELD(name, value)                                                       \
  {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1,   \
   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t room,
                          uint32_t *flags, nghttp2_data_source *source, void *data) {
  (void)data;
  call *current = source->ptr;
  size_t left = current->size - current->sent;
  size_t count = left < room ? left : room;
  memcpy(buffer, current->bytes + current->sent, count);
  current->sent += count;
  if (current->sent == current->size) {
    nghttp2_nv trailers[] = {FIELD("grpc-status", "0")};
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, trailers, 1);
  }
  return (ssize_t)count;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  (void)data;
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  call *fresh = calloc(1, sizeof *fresh);
  nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, fresh);
  return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t count, void *data) {
  (void)flags;
  (void)data;
  call *current = nghttp2_session_get_stream_user_data(session, id);
  if (current == NULL || current->size + count > max_message) return 0;
  if (current->size + count > current->capacity) {
    current->capacity = (current->size + count) * 2;
    current->bytes = realloc(current->bytes, current->capacity);
  }
  memcpy(current->bytes + current->size, bytes, count);
  current->size += count;
  return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  (void)data;
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  call *current = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
  if (current == NULL) return 0;
  nghttp2_nv headers[] = {FIELD(":status", "200"), FIELD("content-type", "application/grpc")};
  nghttp2_data_provider provider = {.source.ptr = current, .read_callback = read_reply};
  nghttp2_submit_response(session, frame->hd.stream_id, headers, 2, &provider);
  return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *data) {
  (void)code;
  (void)data;
  call *current = nghttp2_session_get_stream_user_data(session, id);
  if (current != NULL) free(current->bytes);
  free(current);
  return 0;
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
  while (c->pending_size < buffer_size &&
         (count = nghttp2_session_mem_send(c->session, &bytes)) > 0) {
    if (c->pending_size + (size_t)count > c->pending_capacity) {
      c->pending_capacity = (c->pending_size + (size_t)count) * 2;
      c->pending = realloc(c->pending, c->pending_capacity);
    }
    memcpy(c->pending + c->pending_size, bytes, (size_t)count);
    c->pending_size += (size_t)count;
  }
}

static int flush(connection *c) {
  for (;;) {
    if (c->pending_sent == c->pending_size) {
      c->pending_sent = c->pending_size = 0;
      gather(c);
      if (c->pending_size == 0) break;
    }
    ssize_t count = send(c->descriptor, c->pending + c->pending_sent,
                         c->pending_size - c->pending_sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) {
      watch(c, 1);
      return 0;
    }
    if (count <= 0) return -1;
    c->pending_sent += (size_t)count;
  }
  watch(c, 0);
  return 0;
}

static void end(connection *c) {
  nghttp2_session_del(c->session);
  close(c->descriptor);
  free(c->pending);
  free(c);
}

static void serve(connection *c) {
  ssize_t count = recv(c->descriptor, scratch, sizeof scratch, 0);
  if (count == 0 || (count < 0 && errno != EAGAIN)) return end(c);
  if (count > 0 && nghttp2_session_mem_recv(c->session, scratch, (size_t)count) < 0) return end(c);
  if (flush(c) < 0) end(c);
}

static void accept_one(int listener) {
  int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (descriptor < 0) return;
  int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connection *c = calloc(1, sizeof *c);
  c->descriptor = descriptor;
  nghttp2_session_callbacks *callbacks;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  nghttp2_session_server_new(&c->session, callbacks, c);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000}};
  nghttp2_submit_settings(c->session, 0, settings, 1);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, descriptor, &event);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: echod PORT\n");
    return 2;
  }
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(argv[1])),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 512) < 0) {
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
