#include "call.h"

#include <netdb.h>

#include <array>
#include <memory>

#include "core/base/strings.h"
#include "core/tls/stream.h"

namespace plait::demo {

Result<std::vector<io::SocketAddress>> Resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0)
    return Fail(Errc::kNotFound, "name not found");
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list, &freeaddrinfo);
  std::vector<io::SocketAddress> out;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next)
    out.push_back(io::SocketAddress::FromNative(at->ai_addr, at->ai_addrlen));
  if (out.empty()) return Fail(Errc::kNotFound, "name has no address");
  return out;
}

std::string Url::authority() const {
  const bool ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
  const std::string name = ipv6 ? "[" + host + "]" : host;
  return port == 80 ? name : name + ":" + std::to_string(port);
}

Result<Url> ParseUrl(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme)) return Fail(Errc::kInvalidInput, "URL must begin with http://");
  text.remove_prefix(kScheme.size());
  const std::size_t slash = text.find('/');
  const std::string_view authority = text.substr(0, slash);
  Url out;
  out.host = http::HostOnly(authority);
  if (out.host.empty()) return Fail(Errc::kInvalidInput, "URL has no host");
  if (out.host.front() == '[') out.host = out.host.substr(1, out.host.size() - 2);
  if (const std::uint16_t port = http::PortOf(authority); port != 0) out.port = port;
  if (slash != std::string_view::npos) out.target = text.substr(slash);
  return out;
}

http::Headers HandOn(const http::Headers& incoming) {
  static constexpr std::array<std::string_view, 15> kNames = {
      "x-request-id", "traceparent",   "tracestate",           "b3",
      "x-b3-traceid", "x-b3-spanid",   "x-b3-parentspanid",    "x-b3-sampled",
      "x-b3-flags",   "end-user",      "x-ot-span-context",    "user-agent",
      "cookie",       "authorization", "x-cloud-trace-context"};
  http::Headers out;
  for (const std::string_view name : kNames)
    if (const auto value = incoming.Get(name)) out.Add(name, *value);
  return out;
}

Pending Get(io::Loop& loop, const Url& url, http::Headers headers, Duration timeout,
            std::move_only_function<void(Answer)> done, std::shared_ptr<const tls::Context> tls) {
  const auto addresses = Resolve(url.host, url.port);
  if (!addresses) {
    return loop.After(Duration(0), [call = std::move(done), host = url.host]() mutable {
      call({.status = 0, .body = {}, .error = "cannot resolve " + host});
    });
  }
  conn::FetchRequest request;
  request.to = addresses->front();
  request.head = {.method = "GET",
                  .scheme = "http",
                  .authority = url.authority(),
                  .path = url.target,
                  .protocol = {},
                  .headers = std::move(headers)};
  request.timeout = timeout;
  if (tls) {
    request.head.scheme = "https";
    if (url.port == 443) request.head.authority = url.host;
    request.stream = tls::Wrap(loop, io::Connect(loop, request.to, {.bind = {}, .keep_alive = {}, .timeout = timeout}),
                               std::move(tls),
                               {.sni = url.host,
                                .expected_identity = {},
                                .expected_name = url.host,
                                .alpn = {},
                                .session_key = {},
                                .handshake_timeout = timeout});
  }
  return conn::Fetch(loop, std::move(request), [call = std::move(done)](Result<conn::FetchResponse> got) mutable {
    if (got)
      call({.status = got->head.status, .body = std::move(got->body), .error = {}});
    else
      call({.status = 0, .body = {}, .error = got.error().detail});
  });
}

void Calls::Start(const Url& url, http::Headers headers, Duration timeout, std::move_only_function<void(Answer)> done,
                  std::shared_ptr<const tls::Context> tls) {
  const std::uint64_t id = ++last_;
  running_[id] = Get(
      loop_, url, std::move(headers), timeout,
      [this, id, call = std::move(done)](Answer answer) mutable {
        call(std::move(answer));
        loop_.Defer([this, id] { running_.erase(id); });  // an answer must not destroy its own Pending
      },
      std::move(tls));
}

}  // namespace plait::demo
