#include "core/conn/http_server.h"

#include <optional>
#include <utility>

#include "core/conn/whole_request.h"

namespace plait::conn {

// One connection of the server.
class HttpServer::Session final : public ServerConnectionEvents {
 public:
  Session(HttpServer& server, std::unique_ptr<io::Stream> stream, Buffer initial)
      : server_(server),
        connection_(server.loop_, std::move(stream), server.options_.connection, *this, !initial.empty(),
                    std::move(initial)) {}

  ServerConnection& connection() noexcept { return connection_; }
  std::size_t index = 0;  // in sessions_

 private:
  http::ServerStreamEvents& OnNewStream(http::ServerStream& stream) override {
    if (!peer_) {
      const io::Stream& bytes = connection_.stream();
      peer_.emplace(bytes.remote(), bytes.local(), bytes.tls());
    }
    return server_.handler_->OnNewStream(stream, *peer_);
  }
  void OnConnectionClosed(const Error&) override { server_.Remove(*this); }

  HttpServer& server_;
  std::optional<Peer> peer_;  // known once TLS is established; outlives the connection's streams
  ServerConnection connection_;
};

struct HttpServer::Port {
  io::UniqueFd fd;
  MakeStream make_stream;
  std::unique_ptr<io::Listener> listener;
};

HttpServer::HttpServer(io::Loop& loop, HttpServerOptions options, OnRequest on_request)
    : loop_(loop),
      options_(std::move(options)),
      whole_(std::make_unique<WholeRequests>(std::move(on_request), options_.max_body)),
      handler_(whole_.get()) {}

HttpServer::HttpServer(io::Loop& loop, HttpServerOptions options, StreamHandler& handler)
    : loop_(loop), options_(std::move(options)), handler_(&handler) {}

HttpServer::~HttpServer() = default;

void HttpServer::Listen(io::UniqueFd listener, MakeStream make_stream) {
  auto port = std::make_unique<Port>();
  port->fd = std::move(listener);
  port->make_stream = std::move(make_stream);
  if (!port->make_stream) port->make_stream = [this](io::UniqueFd fd) { return io::AdoptSocket(loop_, std::move(fd)); };
  Port& made = *port;
  port->listener =
      std::make_unique<io::Listener>(loop_, port->fd.get(), /*shared=*/false, [this, &made](io::UniqueFd fd) {
        if (sessions_.size() >= options_.max_connections) return;
        if (auto stream = made.make_stream(std::move(fd))) Serve(std::move(stream));
      });
  ports_.push_back(std::move(port));
}

Outcome<io::SocketAddress> HttpServer::ListenOn(const io::SocketAddress& address, MakeStream make_stream) {
  auto fd = io::ListenOn(address);
  if (!fd) return std::unexpected(fd.error());
  const io::SocketAddress bound = io::LocalAddress(fd->get());
  Listen(std::move(*fd), std::move(make_stream));
  return bound;
}

void HttpServer::Serve(std::unique_ptr<io::Stream> stream, Buffer initial) {
  auto session = std::make_unique<Session>(*this, std::move(stream), std::move(initial));
  session->index = sessions_.size();
  if (draining_) session->connection().Drain();
  sessions_.push_back(std::move(session));
}

void HttpServer::Remove(Session& session) {
  const std::size_t index = session.index;
  if (index + 1 != sessions_.size()) {
    std::swap(sessions_[index], sessions_.back());
    sessions_[index]->index = index;
  }
  loop_.DeleteLater(std::move(sessions_.back()));
  sessions_.pop_back();
  if (draining_ && sessions_.empty() && drained_) loop_.Defer(std::move(drained_));
}

std::size_t HttpServer::connections() const noexcept { return sessions_.size(); }

std::size_t HttpServer::active_streams() const noexcept {
  std::size_t sum = 0;
  for (const auto& session : sessions_) sum += session->connection().active_streams();
  return sum;
}

void HttpServer::Drain(std::move_only_function<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  ports_.clear();
  for (const auto& session : sessions_) session->connection().Drain();
  if (sessions_.empty() && drained_) loop_.Defer(std::move(drained_));
}

}  // namespace plait::conn
