// Annotations of pods that choose what is captured, as lines "name=value" (the name without its prefix). Checked:
// whoever wrote them adds numbers and addresses to the rules and nothing else, what they exclude is not captured, and
// what cannot be read is named.
#include <algorithm>
#include <cstdint>
#include <string>

#include "core/base/capture_annotations.h"
#include "core/base/check.h"
#include "core/base/strings.h"
#include "node/capture_rules.h"

namespace {
using namespace plait;

// The rules with every list of elements taken out: what remains no annotation may change.
std::string Skeleton(std::string rules) {
  constexpr std::string_view kList = " elements = { ";
  for (std::size_t at = 0; (at = rules.find(kList, at)) != std::string::npos;) {
    const std::size_t end = rules.find(" }", at + kList.size());
    PLAIT_CHECK(end != std::string::npos);
    const std::string_view list = std::string_view(rules).substr(at + kList.size(), end - at - kList.size());
    PLAIT_CHECK(list.find_first_not_of("0123456789abcdef.:/, ") == std::string_view::npos);
    rules.erase(at, end + 2 - at);
  }
  return rules;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  std::vector<std::pair<std::string, std::string>> annotations;
  for (const std::string_view line : Split({reinterpret_cast<const char*>(data), size}, '\n')) {
    const auto [name, value] = SplitOnce(line, '=');
    annotations.emplace_back(std::string(capture_annotations::kPrefix) + std::string(name), value.value_or(""));
  }
  const auto rules = node::RulesFromAnnotations(annotations);
  if (!rules) {
    const auto& message = rules.error().message;
    PLAIT_CHECK(std::any_of(annotations.begin(), annotations.end(), [&](const auto& annotation) {
      return message.starts_with("annotation " + annotation.first + ": \"");
    }));
    return 0;
  }
  node::CaptureRules none;
  none.limit_inbound_ports = rules->limit_inbound_ports;
  none.limit_outbound_ranges = rules->limit_outbound_ranges;
  PLAIT_CHECK(Skeleton(node::ToNft(*rules)) == Skeleton(node::ToNft(none)));
  const io::SocketAddress elsewhere = *io::SocketAddress::Parse("203.0.113.1:80");
  const auto taken = [](const node::Ruling& ruling) { return ruling.kind == node::Ruling::Kind::kToProxy; };
  const auto out = [&](const io::SocketAddress& to) { return node::RulingOut(*rules, to, /*own=*/false); };
  for (const Port port : rules->exclude_outbound_ports)
    PLAIT_CHECK(!taken(out({.ip = elsewhere.ip, .port = port, .unix_path = {}})));
  for (const io::Cidr& range : rules->exclude_outbound_ranges)
    PLAIT_CHECK(!taken(out({.ip = range.base, .port = elsewhere.port, .unix_path = {}})));
  for (const Port port : rules->exclude_inbound_ports)
    PLAIT_CHECK(!taken(node::RulingIn(*rules, port, node::Dialler::kOther)));
  return 0;
}
