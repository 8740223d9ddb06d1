// Macros, STACK_OF and callbacks of OpenSSL as plain functions.
#ifndef ONESHOT_COPENSSL_SHIM_H
#define ONESHOT_COPENSSL_SHIM_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum {
  COPENSSL_CLOSED = 0,
  COPENSSL_WANT_READ = -1,
  COPENSSL_WANT_WRITE = -2,
  COPENSSL_FAILED = -3
};

static inline long copenssl_outcome(SSL *ssl, int result) {
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ: return COPENSSL_WANT_READ;
    case SSL_ERROR_WANT_WRITE: return COPENSSL_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN: return COPENSSL_CLOSED;
    default: return COPENSSL_FAILED;
  }
}

/// 1 when done, else one of the codes above.
static inline long copenssl_handshake(SSL *ssl) {
  ERR_clear_error();
  int result = SSL_do_handshake(ssl);
  return result == 1 ? 1 : copenssl_outcome(ssl, result);
}

/// Bytes read, or one of the codes above.
static inline long copenssl_read(SSL *ssl, void *bytes, size_t count) {
  size_t got = 0;
  ERR_clear_error();
  int result = SSL_read_ex(ssl, bytes, count, &got);
  return result == 1 ? (long)got : copenssl_outcome(ssl, result);
}

/// Bytes written, or one of the codes above.
static inline long copenssl_write(SSL *ssl, const void *bytes, size_t count) {
  size_t put = 0;
  ERR_clear_error();
  int result = SSL_write_ex(ssl, bytes, count, &put);
  return result == 1 ? (long)put : copenssl_outcome(ssl, result);
}

// The peer's KeyUpdate messages, as a leaking bucket in the session's application data: the level in
// the lower half, the second of the last message in the upper one.
static inline uint64_t copenssl_key_update_state(SSL *ssl) {
  return (uint64_t)(uintptr_t)SSL_get_app_data(ssl);
}

static inline bool copenssl_has_too_many_key_updates(SSL *ssl) {
  return (uint32_t)copenssl_key_update_state(ssl) == UINT32_MAX;
}

/// Called for each message; `argument` is the bucket's size.
static inline void copenssl_watch_message(int is_ours, int version, int type, const void *bytes,
                                          size_t count, SSL *ssl, void *argument) {
  (void)version;
  if (is_ours || type != SSL3_RT_HANDSHAKE || count == 0) return;
  if (*(const unsigned char *)bytes != SSL3_MT_KEY_UPDATE) return;
  uint64_t state = copenssl_key_update_state(ssl);
  uint32_t level = (uint32_t)state;
  uint32_t passed = (uint32_t)time(NULL) - (uint32_t)(state >> 32);
  if (level == UINT32_MAX) return;
  level = (passed < level ? level - passed : 0) + 1;
  if (level > (uint32_t)(uintptr_t)argument) {
    level = UINT32_MAX;
    // Ends the reading of records, which would go on for as long as they come.
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
  }
  SSL_set_app_data(ssl, (void *)(uintptr_t)((uint64_t)(uint32_t)time(NULL) << 32 | level));
}

/// Ends the session when its peer sends more than `burst` KeyUpdate messages and one a second.
static inline void copenssl_limit_key_updates(SSL *ssl, uint32_t burst) {
  SSL_set_msg_callback(ssl, copenssl_watch_message);
  SSL_set_msg_callback_arg(ssl, (void *)(uintptr_t)burst);
}

/// OpenSSL writes to sockets without MSG_NOSIGNAL: a peer that has gone shall be an error, not the end
/// of the process. A handler that is set stays.
static inline void copenssl_survive_broken_pipes(void) {
  struct sigaction current;
  if (sigaction(SIGPIPE, NULL, &current) == 0 && current.sa_handler == SIG_DFL) {
    signal(SIGPIPE, SIG_IGN);
  }
}

/// What every context of ours shares: no renegotiation, partial writes, read-ahead.
static inline void copenssl_configure(SSL_CTX *context, int min_version) {
  copenssl_survive_broken_pipes();
  SSL_CTX_set_min_proto_version(context, min_version);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  // No 0-RTT: early data can be replayed (RFC 8446 §8). That is OpenSSL's default, said here because
  // every request that is not idempotent relies on it.
  SSL_CTX_set_max_early_data(context, 0);
}

static inline int copenssl_tls12(void) { return TLS1_2_VERSION; }
static inline int copenssl_tls13(void) { return TLS1_3_VERSION; }

static inline int copenssl_set_server_name(SSL *ssl, const char *name) {
  return (int)SSL_set_tlsext_host_name(ssl, name);
}

/// Picks the first protocol of `argument` (a length-prefixed list, ended by a 0 byte) that the
/// client offers; the handshake ends with an alert when there is none (RFC 7301 §3.2).
static inline int copenssl_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                                       const unsigned char *offered, unsigned int offered_size,
                                       void *argument) {
  (void)ssl;
  const unsigned char *ours = (const unsigned char *)argument;
  for (; *ours != 0; ours += 1 + *ours) {
    const unsigned char *theirs = offered;
    const unsigned char *end = offered + offered_size;
    for (; theirs < end; theirs += 1 + *theirs) {
      if (*theirs == *ours && theirs + 1 + *theirs <= end &&
          memcmp(theirs + 1, ours + 1, *ours) == 0) {
        *out = theirs + 1;
        *out_size = *theirs;
        return SSL_TLSEXT_ERR_OK;
      }
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static inline void copenssl_accept_alpn(SSL_CTX *context, unsigned char *list) {
  SSL_CTX_set_alpn_select_cb(context, copenssl_select_alpn, list);
}

/// Copies the first URI of the peer's subject alternative names that starts with `prefix`, without
/// the prefix. Returns its length, 0 for none.
static inline size_t copenssl_peer_uri(SSL *ssl, const char *prefix, char *out, size_t capacity) {
  size_t found = 0;
  size_t prefix_size = strlen(prefix);
  X509 *certificate = SSL_get1_peer_certificate(ssl);
  if (certificate == NULL) return 0;
  GENERAL_NAMES *names =
      (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  for (int i = 0; names != NULL && found == 0 && i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const char *text = (const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
    size_t size = (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier);
    if (size <= prefix_size || size - prefix_size >= capacity) continue;
    if (memcmp(text, prefix, prefix_size) != 0 || memchr(text, 0, size) != NULL) continue;
    found = size - prefix_size;
    memcpy(out, text + prefix_size, found);
  }
  GENERAL_NAMES_free(names);
  X509_free(certificate);
  return found;
}

/// The oldest error of the queue as text, which is emptied.
static inline void copenssl_take_error(char *text, size_t capacity) {
  unsigned long code = ERR_get_error();
  if (code == 0) {
    strncpy(text, "connection closed during TLS", capacity - 1);
    text[capacity - 1] = 0;
  } else {
    ERR_error_string_n(code, text, capacity);
  }
  ERR_clear_error();
}

#endif
