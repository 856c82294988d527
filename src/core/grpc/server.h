#pragma once
// gRPC server on core/conn: unary and streaming methods, deadlines, metadata, status and trailers, message limits.
// Messages are bytes; services encode and decode them in their own *_codec.cc. Compression: identity only (a compressed
// message gets UNIMPLEMENTED with grpc-accept-encoding, as the protocol asks). One loop thread; no call of a service
// runs inside a call of the service to the server.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/strings.h"
#include "core/conn/http_server.h"
#include "core/grpc/status.h"

namespace plait::grpc {

struct ServerOptions {
  std::size_t max_message = 4 * 1024 * 1024;                        // received; more: RESOURCE_EXHAUSTED
  Duration take_request = std::chrono::seconds(30);                 // a unary request not whole: DEADLINE_EXCEEDED
  Duration take_answer = std::chrono::seconds(10);                  // a call that is over but not read: reset
  static constexpr std::size_t kLargestMessage = 64 * 1024 * 1024;  // max_message is cut to it
};

// What is known of a call; valid as long as its CallHandler, or during a unary method's call.
struct CallContext {
  std::string method;  // "/package.Service/Method"
  std::string authority;
  Metadata metadata;  // without reserved fields (te, content-type, grpc-*)
  io::SocketAddress remote;
  const io::TlsFacts* tls = nullptr;      // null: plaintext
  std::optional<MonotonicTime> deadline;  // the server answers DEADLINE_EXCEEDED by itself
};

// A running call, as its service sends on it. Owned by the server; dies with its CallHandler.
class ServerCall {
 public:
  virtual ~ServerCall() = default;
  virtual const CallContext& context() const noexcept = 0;
  virtual void SendInitialMetadata(Metadata metadata) = 0;  // optional, once, before the first Send
  virtual void Send(std::string_view message) = 0;
  virtual bool above_high_watermark() const noexcept = 0;  // stop sending until OnWritable
  // Ends the call; nothing may be called afterwards. The handler is destroyed in a later round.
  virtual void Finish(Status status, Metadata trailers = {}) = 0;
  virtual void PauseReading(bool paused) = 0;  // back-pressure to the client
};

// One streaming call, as its service implements it. The server destroys it when the call is over.
class CallHandler {
 public:
  virtual ~CallHandler() = default;
  virtual void OnMessage(std::string message) = 0;
  virtual void OnHalfClose() = 0;  // the client will send no more
  virtual void OnWritable() {}
  virtual void OnCancelled() {}  // the client went or the deadline passed: the call is over, Finish is not needed
};

// Answers one unary call, now or later; harmless when the client has gone. Dropping it unused answers UNKNOWN.
class UnaryReply {
 public:
  struct Target;
  explicit UnaryReply(std::shared_ptr<Target> target) noexcept : target_(std::move(target)) {}
  UnaryReply(UnaryReply&&) noexcept = default;
  UnaryReply& operator=(UnaryReply&&) noexcept;
  ~UnaryReply();
  void Send(std::string_view message, Metadata trailers = {});
  void Fail(Status status, Metadata trailers = {});
  bool alive() const noexcept;  // the client still waits

 private:
  std::shared_ptr<Target> target_;
};

// A method may end the call at once with call.Finish and return null.
using StreamingMethod = std::move_only_function<std::unique_ptr<CallHandler>(ServerCall& call)>;
using UnaryMethod = std::move_only_function<void(const CallContext& context, std::string message, UnaryReply reply)>;

// Routes calls to methods. Give it to conn::HttpServer; it must outlive that server.
class Server final : public conn::StreamHandler {
 public:
  explicit Server(io::Loop& loop, ServerOptions options = {});
  ~Server() override;

  // `method`: "/package.Service/Method". Registering the same twice is our own bug. `max_message`: in place of the
  // server's; 0: the server's.
  void AddStreaming(std::string method, StreamingMethod call, std::size_t max_message = 0);
  void AddUnary(std::string method, UnaryMethod call);
  // grpc.health.v1.Health (Check, List, Watch) and grpc.reflection.v1alpha and v1.
  void AddHealthService();
  // Service "" is the whole server and SERVING from the start. A registered service is as the whole server until it is
  // set, others are unknown.
  void SetServing(const std::string& service, bool serving);
  // Describes the registered services. `file_descriptor_set`: a serialized FileDescriptorSet, or empty: what is linked
  // in.
  void AddReflectionService(std::string file_descriptor_set = {});

  std::vector<std::string> services() const;  // names of registered services, sorted

  http::ServerStreamEvents& OnNewStream(http::ServerStream& stream, const conn::Peer& peer) override;

 private:
  class Call;
  class UnaryHandler;
  class Health;
  class Reflection;
  struct Method {
    StreamingMethod streaming;
    std::size_t max_message = 0;
    bool unary = false;
  };
  void Add(std::string method, Method how);
  Method* Find(std::string_view path);

  // Handlers whose call is over: they die at the end of the round, at the latest with the server.
  struct Dying;

  io::Loop& loop_;
  ServerOptions options_;
  std::shared_ptr<Dying> dying_;
  std::unordered_map<std::string, Method, StringHash, std::equal_to<>> methods_;
  std::unique_ptr<Health> health_;
  std::unique_ptr<Reflection> reflection_;
};

}  // namespace plait::grpc
