// The messages between a proxy and its dial helper: "<id> <address>:<port>" and "<id> <errno>".
#include "core/base/strings.h"
#include "core/io/passed_socket.h"

namespace plait::io {
namespace {

struct Numbered {
  std::uint32_t id = 0;
  std::string_view rest;
};
Result<Numbered> TakeId(std::string_view text) {
  const auto [first, rest] = SplitOnce(text, ' ');
  const auto id = ParseUint(first);
  if (!id || *id > UINT32_MAX || !rest) return Fail(Errc::kInvalidInput, "dial message without id");
  return Numbered{static_cast<std::uint32_t>(*id), *rest};
}

}  // namespace

std::string Encode(const DialQuestion& question) { return std::to_string(question.id) + " " + question.to.ToString(); }
std::string Encode(const DialAnswer& answer) { return std::to_string(answer.id) + " " + std::to_string(answer.error); }

Result<DialQuestion> ParseDialQuestion(std::string_view text) {
  const Result<Numbered> numbered = TakeId(text);
  if (!numbered) return std::unexpected(numbered.error());
  Result<SocketAddress> to = SocketAddress::Parse(numbered->rest);
  if (!to) return std::unexpected(to.error());
  if (to->is_unix() || !to->port) return Fail(Errc::kInvalidInput, "dial question without TCP address");
  return DialQuestion{numbered->id, *to};
}

Result<DialAnswer> ParseDialAnswer(std::string_view text) {
  const Result<Numbered> numbered = TakeId(text);
  if (!numbered) return std::unexpected(numbered.error());
  const auto error = ParseUint(numbered->rest);
  if (!error || *error > 4095) return Fail(Errc::kInvalidInput, "dial answer without errno");
  return DialAnswer{numbered->id, static_cast<int>(*error)};
}

}  // namespace plait::io
