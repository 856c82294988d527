#pragma once
// A small HTTP server (1.0, 1.1, 2) for admin pages, metrics, debug endpoints, demo applications and, below core/grpc,
// for gRPC. Accepts streams, keeps their connections, hands out requests: each as a stream (StreamHandler) or whole
// (OnRequest with a Responder). One loop thread; not the proxy's data path, which uses ServerConnection itself.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/conn/connection.h"
#include "core/io/socket.h"

namespace plait::conn {

// The connection that a request came on. Valid while the request's stream is.
struct Peer {
  const io::SocketAddress& remote;
  const io::SocketAddress& local;
  const io::TlsFacts* tls;  // null: plaintext
};

// Takes requests as streams.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  // The returned events live until their OnStreamClosed.
  virtual http::ServerStreamEvents& OnNewStream(http::ServerStream& stream, const Peer& peer) = 0;
};

// A whole small request.
struct Request {
  http::RequestHead head;
  std::string body;
  http::Headers trailers;
  io::SocketAddress remote;
  std::string peer_identity;  // SPIFFE URI of the client certificate, empty without
};

// A whole answer. content-length is added; HEAD keeps the length and drops the body.
struct Response {
  std::uint16_t status = 200;
  http::Headers headers;
  std::string body;
};
Response TextResponse(std::uint16_t status, std::string body,
                      std::string_view content_type = "text/plain; charset=UTF-8");

// Answers one request, now or later on the same thread; harmless when the client has gone. Dropping it unused answers
// 500. For an answer of unknown length: Begin, then Write while writable, then End.
class Responder {
 public:
  struct Target;  // the stream; whole_request.cc
  explicit Responder(std::shared_ptr<Target> target) noexcept;
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();

  void Send(Response response);
  void SendInformational(std::uint16_t status, http::Headers headers = {});  // 1xx but 101
  void Begin(std::uint16_t status, http::Headers headers);
  void Write(std::string_view bytes);
  void End(http::Headers trailers = {});
  bool alive() const noexcept;     // the client still waits
  bool writable() const noexcept;  // below the high watermark
  // Called when it is writable again, and when the client went (then alive() is false).
  void OnChange(std::move_only_function<void()> call);

 private:
  void Settle() noexcept;
  std::shared_ptr<Target> target_;
};
using OnRequest = std::move_only_function<void(Request, Responder)>;

struct HttpServerOptions {
  ConnectionOptions connection;
  std::size_t max_body = 4 * 1024 * 1024;  // whole requests only; more: 413
  std::size_t max_connections = 4096;      // further ones are closed at accept
};

class HttpServer {
 public:
  // Turns an accepted socket into a stream (plain by default; TLS by who has the keys).
  using MakeStream = std::move_only_function<std::unique_ptr<io::Stream>(io::UniqueFd)>;

  HttpServer(io::Loop& loop, HttpServerOptions options, OnRequest on_request);
  HttpServer(io::Loop& loop, HttpServerOptions options, StreamHandler& handler);  // `handler` outlives the server
  ~HttpServer();

  // Accepts on a listening socket; several may be added. The server owns it.
  void Listen(io::UniqueFd listener, MakeStream make_stream = {});
  // Binds and listens first. The address that was bound (its port when 0 was asked for).
  Outcome<io::SocketAddress> ListenOn(const io::SocketAddress& address, MakeStream make_stream = {});
  void Serve(std::unique_ptr<io::Stream> stream, Buffer initial = {});
  std::size_t connections() const noexcept;
  std::size_t active_streams() const noexcept;
  // Accepts no more and ends each connection after its running requests; `done` (may be empty) when the last is gone.
  void Drain(std::move_only_function<void()> done);

 private:
  class Session;
  struct Port;
  class WholeRequests;
  void Remove(Session& session);

  io::Loop& loop_;
  HttpServerOptions options_;
  std::unique_ptr<WholeRequests> whole_;
  StreamHandler* handler_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::move_only_function<void()> drained_;
  bool draining_ = false;
};

}  // namespace plait::conn
