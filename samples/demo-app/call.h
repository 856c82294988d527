#pragma once
// How the demo applications call each other: plain HTTP by host name, knowing nothing of a mesh.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/conn/http_client.h"
#include "core/tls/context.h"

namespace plait::demo {

// Host and port as an application finds them: by the system's resolver. Blocks like any small application does.
// At least one address; errors: kNotFound.
Result<std::vector<io::SocketAddress>> Resolve(const std::string& host, std::uint16_t port);

struct Url {
  std::string host;
  std::uint16_t port = 80;
  std::string target = "/";
  std::string authority() const;
};
// "http://host[:port][/path]". Errors: kInvalidInput.
Result<Url> ParseUrl(std::string_view text);

// The header fields that a traced application hands on to what it calls (request id, trace context, user).
http::Headers HandOn(const http::Headers& incoming);

// What came back, or why nothing did.
struct Answer {
  int status = 0;  // 0: no answer
  std::string body;
  std::string error;
};
// Of a host with several addresses the next one is tried while nobody listens at one: names such as localhost are of
// both families, and a server may have but one. `timeout` is for all of them. With `tls` over TLS (for what is outside
// the mesh): the server's certificate must be for the URL's host.
[[nodiscard]] Pending Get(io::Loop& loop, const Url& url, http::Headers headers, Duration timeout,
                          std::move_only_function<void(Answer)> done,
                          std::shared_ptr<const tls::Context> tls = nullptr);

// The same with the addresses of the host, at least one.
[[nodiscard]] Pending GetFrom(io::Loop& loop, std::vector<io::SocketAddress> addresses, const Url& url,
                              http::Headers headers, Duration timeout, std::move_only_function<void(Answer)> done,
                              std::shared_ptr<const tls::Context> tls = nullptr);

// What a role has begun, each until it has ended: calls until they were answered. Lives as long as the role.
class Calls {
 public:
  using Ended = std::function<void()>;

  explicit Calls(io::Loop& loop) : loop_(loop) {}
  // Calls `begin` at once and keeps what it has begun until its completion calls the Ended that `begin` was given.
  void Keep(std::move_only_function<Pending(Ended)> begin);
  void Start(const Url& url, http::Headers headers, Duration timeout, std::move_only_function<void(Answer)> done,
             std::shared_ptr<const tls::Context> tls = nullptr);

 private:
  io::Loop& loop_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Pending> running_;
};

}  // namespace plait::demo
