// A peer of the benchmark: the echo service on gRPC C++, asynchronous API, one completion queue and
// one thread of ours.
//
//   echo --port N [--certificate FILE --key FILE --authority FILE]
#include <getopt.h>
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "echo.grpc.pb.h"

using oneshot::echo::v1::EchoRequest;
using oneshot::echo::v1::EchoResponse;
using oneshot::echo::v1::EchoService;
using oneshot::echo::v1::ServerStreamRequest;
using oneshot::echo::v1::ServerStreamResponse;

// A call, also the tag of its events.
class Call {
 public:
  virtual ~Call() = default;
  // The event that was waited for has come; `ok` is the completion queue's word for success.
  virtual void proceed(bool ok) = 0;
};

class UnaryCall final : public Call {
 public:
  UnaryCall(EchoService::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue), responder_(&context_) {
    service_->RequestEcho(&context_, &request_, &responder_, queue_, queue_, this);
  }

  void proceed(bool ok) override {
    if (isAnswered_ || !ok) {
      delete this;
      return;
    }
    new UnaryCall(service_, queue_);
    response_.set_payload(request_.payload());
    response_.set_text(request_.text());
    isAnswered_ = true;
    responder_.Finish(response_, grpc::Status::OK, this);
  }

 private:
  EchoService::AsyncService* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  EchoRequest request_;
  EchoResponse response_;
  grpc::ServerAsyncResponseWriter<EchoResponse> responder_;
  bool isAnswered_ = false;
};

class StreamCall final : public Call {
 public:
  StreamCall(EchoService::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue), writer_(&context_) {
    service_->RequestServerStream(&context_, &request_, &writer_, queue_, queue_, this);
  }

  void proceed(bool ok) override {
    if (isFinished_ || !ok) {
      delete this;
      return;
    }
    if (next_ == 0) new StreamCall(service_, queue_);
    if (next_ == request_.count()) {
      isFinished_ = true;
      writer_.Finish(grpc::Status::OK, this);
      return;
    }
    response_.set_payload(request_.payload());
    response_.set_index(next_++);
    writer_.Write(response_, this);
  }

 private:
  EchoService::AsyncService* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  ServerStreamRequest request_;
  ServerStreamResponse response_;
  grpc::ServerAsyncWriter<ServerStreamResponse> writer_;
  int next_ = 0;
  bool isFinished_ = false;
};

static std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int main(int argc, char** argv) {
  static const option options[] = {{"port", required_argument, nullptr, 'p'},
                                   {"certificate", required_argument, nullptr, 'c'},
                                   {"key", required_argument, nullptr, 'k'},
                                   {"authority", required_argument, nullptr, 'a'},
                                   {}};
  std::string port = "0", certificate, key, authority;
  for (int option; (option = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (option == 'p') port = optarg;
    if (option == 'c') certificate = optarg;
    if (option == 'k') key = optarg;
    if (option == 'a') authority = optarg;
  }
  auto credentials = grpc::InsecureServerCredentials();
  if (!certificate.empty()) {
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    tls.pem_root_certs = contents(authority);
    tls.pem_key_cert_pairs.push_back({contents(key), contents(certificate)});
    credentials = grpc::SslServerCredentials(tls);
  }
  EchoService::AsyncService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + port, credentials);
  builder.RegisterService(&service);
  auto queue = builder.AddCompletionQueue();
  auto server = builder.BuildAndStart();
  if (!server) return 1;
  // As many calls as may wait for this thread at once.
  for (int i = 0; i < 256; i++) new UnaryCall(&service, queue.get());
  for (int i = 0; i < 32; i++) new StreamCall(&service, queue.get());
  void* tag;
  bool ok;
  while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->proceed(ok);
}
