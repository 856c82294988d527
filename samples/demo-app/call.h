#pragma once
// How the demo applications call each other: plain HTTP by host name, knowing nothing of a mesh.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/conn/http_client.h"

namespace plait::demo {

// Host and port as an application finds them: by the system's resolver. Blocks like any small application does.
// The first address; errors: kNotFound.
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
[[nodiscard]] Pending Get(io::Loop& loop, const Url& url, http::Headers headers, Duration timeout, std::move_only_function<void(Answer)> done);

}  // namespace plait::demo
