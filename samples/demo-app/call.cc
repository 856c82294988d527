#include "call.h"

#include <netdb.h>

#include <algorithm>
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

namespace {

// One call. Its address is another one when nobody listened at the one before.
class Call final : public Pending::Operation {
 public:
  Call(io::Loop& loop, std::vector<io::SocketAddress> addresses, Url url, http::Headers headers, Duration timeout,
       std::move_only_function<void(Answer)> done, std::shared_ptr<const tls::Context> tls)
      : loop_(loop),
        addresses_(std::move(addresses)),
        url_(std::move(url)),
        headers_(std::move(headers)),
        deadline_(loop.Now() + timeout),
        done_(std::move(done)),
        tls_(std::move(tls)) {
    Try(addresses_.front());
  }

 private:
  void Try(const io::SocketAddress& to) {
    const Duration timeout = std::max(deadline_ - loop_.Now(), Duration(0));
    conn::FetchRequest request;
    request.to = to;
    request.head = {.method = "GET",
                    .scheme = tls_ ? "https" : "http",
                    .authority = tls_ && url_.port == 443 ? url_.host : url_.authority(),
                    .path = url_.target,
                    .protocol = {},
                    .headers = headers_};
    request.timeout = timeout;
    if (tls_)
      request.stream =
          tls::Wrap(loop_, io::Connect(loop_, to, {.bind = {}, .keep_alive = {}, .timeout = timeout}), tls_,
                    {.sni = url_.host,
                     .expected_identity = {},
                     .expected_name = url_.host,
                     .alpn = {},
                     .session_key = {},
                     .handshake_timeout = timeout});
    trying_ = conn::Fetch(loop_, std::move(request), [this](Result<conn::FetchResponse> got) { Got(std::move(got)); });
  }
  // kUnavailable: there was no connection. `done_` may drop this.
  void Got(Result<conn::FetchResponse> got) {
    if (!got && got.error().code == Errc::kUnavailable && ++tried_ < addresses_.size()) return Try(addresses_[tried_]);
    auto done = std::move(done_);
    if (got)
      done({.status = got->head.status, .body = std::move(got->body), .error = {}});
    else
      done({.status = 0, .body = {}, .error = got.error().detail});
  }

  io::Loop& loop_;
  const std::vector<io::SocketAddress> addresses_;
  const Url url_;
  const http::Headers headers_;
  const MonotonicTime deadline_;
  std::move_only_function<void(Answer)> done_;
  const std::shared_ptr<const tls::Context> tls_;
  std::size_t tried_ = 0;
  Pending trying_;
};

}  // namespace

Pending GetFrom(io::Loop& loop, std::vector<io::SocketAddress> addresses, const Url& url, http::Headers headers,
                Duration timeout, std::move_only_function<void(Answer)> done, std::shared_ptr<const tls::Context> tls) {
  return Pending(std::make_unique<Call>(loop, std::move(addresses), url, std::move(headers), timeout, std::move(done),
                                        std::move(tls)));
}

Pending Get(io::Loop& loop, const Url& url, http::Headers headers, Duration timeout,
            std::move_only_function<void(Answer)> done, std::shared_ptr<const tls::Context> tls) {
  auto addresses = Resolve(url.host, url.port);
  if (!addresses) {
    return loop.After(Duration(0), [call = std::move(done), host = url.host]() mutable {
      call({.status = 0, .body = {}, .error = "cannot resolve " + host});
    });
  }
  return GetFrom(loop, *std::move(addresses), url, std::move(headers), timeout, std::move(done), std::move(tls));
}

void Calls::Keep(std::move_only_function<Pending(Ended)> begin) {
  const std::uint64_t id = ++last_;
  running_[id] = begin([this, id] {
    loop_.Defer([this, id] { running_.erase(id); });  // a completion must not destroy its own Pending
  });
}

void Calls::Start(const Url& url, http::Headers headers, Duration timeout, std::move_only_function<void(Answer)> done,
                  std::shared_ptr<const tls::Context> tls) {
  Keep([&](Ended ended) {
    return Get(
        loop_, url, std::move(headers), timeout,
        [call = std::move(done), ended = std::move(ended)](Answer answer) mutable {
          call(std::move(answer));
          ended();
        },
        std::move(tls));
  });
}

}  // namespace plait::demo
