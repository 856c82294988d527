#include "proxy/upstream/dial.h"

#include "core/tls/stream.h"

namespace plait::proxy::upstream {

std::unique_ptr<io::Stream> Open(Connector& connector, io::Loop& loop, const Dial& dial, bool at_other) {
  io::ConnectOptions options;
  options.bind = at_other ? dial.other->bind : dial.bind;
  options.mark = dial.mark;
  options.keep_alive = dial.keep_alive;
  options.timeout = dial.connect_timeout;
  std::unique_ptr<io::Stream> stream = connector.Connect(at_other ? dial.other->address : dial.address, options);
  return dial.secure ? dial.secure(loop, std::move(stream)) : std::move(stream);
}

bool IsRefused(const Error& error) { return error == Error{Errc::kUnavailable, "connection refused"}; }

std::string TransportFailure(const io::Stream& stream, const Error& error) {
  // core/io says it in lower case; people know the kernel's words behind Envoy's.
  const std::string_view detail = error.detail;
  if (detail.empty()) return {};
  constexpr std::string_view kConnectErrors[] = {"connection refused", "no route to host", "network unreachable",
                                                 "connection reset by peer", "no free local port"};
  for (const std::string_view known : kConnectErrors) {
    if (detail != known) continue;
    std::string text = "delayed connect error: ";
    text += static_cast<char>(known.front() - 'a' + 'A');
    text += known.substr(1);
    return text;
  }
  if (const std::string words = tls::FailureOf(stream); !words.empty()) return "TLS error: " + words;
  return std::string(detail);
}

}  // namespace plait::proxy::upstream
