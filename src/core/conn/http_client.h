#pragma once
// One HTTP request on a connection of its own: for probes, tools, the CLI and tests. TCP, Unix sockets, or any stream
// that the caller made (TLS). Not for the data path: nothing is pooled.
#include <functional>
#include <memory>
#include <string>

#include "core/base/pending.h"
#include "core/conn/connection.h"
#include "core/io/socket.h"

namespace plait::conn {

struct FetchRequest {
  io::SocketAddress to;                // unused when `stream` is set
  std::unique_ptr<io::Stream> stream;  // e.g. TLS; speaks what its ALPN says
  Protocol protocol = Protocol::kDetect;
  http::RequestHead head;                       // method and path; authority is made from `to` when empty
  std::string body;                             // content-length is added when there is one
  Duration timeout = std::chrono::seconds(10);  // for the whole exchange: kTimedOut
  std::size_t max_body = 16 * 1024 * 1024;      // of the answer: kLimit
  io::ConnectOptions connect;
};
struct FetchResponse {
  http::ResponseHead head;
  std::string body;
  http::Headers trailers;
};
// `done` runs once, in a later round, unless the handle was dropped before.
using OnFetched = std::move_only_function<void(Result<FetchResponse>)>;
[[nodiscard]] Pending Fetch(io::Loop& loop, FetchRequest request, OnFetched done);

// GET of "http://host:port/path" with an IP host, or "unix:/path/of.sock:/path". For tools and tests.
[[nodiscard]] Result<FetchRequest> GetRequest(std::string_view url);

}  // namespace plait::conn
