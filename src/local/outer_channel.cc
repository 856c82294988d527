#include "local/outer_channel.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/json_text.h"
#include "core/io/peek_message.h"
#include "core/io/socket.h"

namespace plait::local {
namespace {
using Json = nlohmann::json;
constexpr std::size_t kLongest = std::size_t{64} << 10;  // as io::SendFds sends
constexpr const char* kNames[] = {"options", "listen", "listening", "notice",   "ready",
                                  "stop",    "ending", "resolve",   "resolvers"};
OuterMessage MessageOf(const Json& json) {
  OuterMessage m;
  const std::string kind = json.value("kind", "");
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (kind == kNames[i]) m.kind = static_cast<OuterMessage::Kind>(i);
  m.severity = json.value("severity", "");
  m.text = json.value("text", "");
  m.port = Port{json.value("port", std::uint16_t{0})};
  m.host_port = Port{json.value("host_port", std::uint16_t{0})};
  m.options.paths = {json.value("name", ""), json.value("run", ""), json.value("state", "")};
  m.options.directory = json.value("directory", "");
  m.options.search_path = json.value("search_path", "");
  m.options.concurrency = json.value("concurrency", 2);
  m.options.mode = ParseMode(json.value("mode", "")).value_or(Mode::kRootless);
  m.options.mode_reason = json.value("mode_reason", "");
  m.options.confine_proxies = json.value("confine_proxies", true);
  m.options.envoy = json.value("envoy", "");
  m.debug_port = Port{json.value("debug_port", std::uint16_t{0})};
  m.application_id = json.value("application_id", uid_t{0});
  return m;
}

}  // namespace

Result<> SendMessage(int socket, const OuterMessage& message, const std::vector<int>& fds) {
  Json json = {{"kind", kNames[static_cast<std::size_t>(message.kind)]}};
  if (!message.severity.empty()) json["severity"] = message.severity;
  if (!message.text.empty()) json["text"] = message.text;
  if (message.port) json["port"] = message.port.value;
  if (message.host_port) json["host_port"] = message.host_port.value;
  if (message.kind == OuterMessage::Kind::kOptions) {
    const UpOptions& o = message.options;
    json["name"] = o.paths.name;
    json["run"] = o.paths.run;
    json["state"] = o.paths.state;
    json["directory"] = o.directory;
    json["search_path"] = o.search_path;
    json["concurrency"] = o.concurrency;
    json["mode"] = NameOf(o.mode);
    json["mode_reason"] = o.mode_reason;
    json["confine_proxies"] = o.confine_proxies;
    json["envoy"] = o.envoy;
    json["debug_port"] = message.debug_port.value;
    json["application_id"] = message.application_id;
  }
  return io::SendFds(socket, JsonText(json), fds);
}

Result<ReceivedMessage> ReceiveMessage(int socket) {
  std::string text = io::PeekMessage(socket, kLongest);
  Result<io::FdMessage> received = io::ReceiveFds(socket);
  const bool lost_fds = !received && received.error().code == Errc::kLimit;
  if (lost_fds) received = io::FdMessage{.message = std::move(text), .fds = {}};
  if (!received) return std::unexpected(received.error());
  try {  // the library's errors are exceptions; they end here
    return ReceivedMessage{.message = MessageOf(ParseJsonMessage<Json>(received->message)),
                           .fds = std::move(received->fds),
                           .lost_fds = lost_fds};
  } catch (const Json::exception&) {
    return Fail(Errc::kInvalidInput, "not a message");
  }
}

Result<> OuterSender::Send(OuterMessage message) {
  if (waiting_.empty()) {
    Result<> sent = SendMessage(socket_, message);
    if (sent || sent.error().code != Errc::kUnavailable) return sent;
  }
  if (message.kind == OuterMessage::Kind::kNotice && waiting_.size() >= kMaxWaiting)
    ++dropped_;
  else
    waiting_.push_back(std::move(message));
  return {};
}

Result<> OuterSender::Flush() {
  while (!waiting_.empty()) {
    const Result<> sent = SendMessage(socket_, waiting_.front());
    if (!sent && sent.error().code == Errc::kUnavailable) return {};
    waiting_.pop_front();
    if (!sent) return sent;
  }
  return {};
}

std::size_t OuterSender::TakeDropped() { return waiting_.empty() ? std::exchange(dropped_, 0) : 0; }

}  // namespace plait::local
