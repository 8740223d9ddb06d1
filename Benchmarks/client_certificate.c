// Preloaded into h2load, which knows no option for a client's certificate: every TLS context of the
// process gets the files that BENCH_CERTIFICATE and BENCH_KEY name.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <openssl/ssl.h>
#include <stdlib.h>

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method) {
  SSL_CTX *(*make)(const SSL_METHOD *) =
      (SSL_CTX * (*)(const SSL_METHOD *)) dlsym(RTLD_NEXT, "SSL_CTX_new");
  SSL_CTX *context = make(method);
  const char *certificate = getenv("BENCH_CERTIFICATE"), *key = getenv("BENCH_KEY");
  if (context == NULL || certificate == NULL || key == NULL) return context;
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
    abort();
  }
  return context;
}
