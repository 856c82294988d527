#include "proxy/listen/chain_match.h"

#include <algorithm>

namespace plait::proxy::listen {
namespace {
using Match = xds::FilterChainMatch;

// How well a rule fits at one criterion: kMiss, or 0 (matches everything) and up (more specific).
constexpr int kMiss = -1;

int FitOfRanges(const std::vector<io::Cidr>& ranges, const io::IpAddress& ip) {
  if (ranges.empty()) return 0;
  int best = kMiss;
  for (const io::Cidr& range : ranges) {
    if (range.Contains(ip)) best = std::max(best, range.length + 1);
  }
  return best;
}

// The whole name is most specific, then the longest wildcard.
int FitOfServerName(const std::vector<std::string>& names, std::string_view name) {
  if (names.empty()) return 0;
  constexpr int kExact = 1 << 16;
  int best = kMiss;
  for (const std::string& pattern : names) {
    if (pattern == name && !name.empty()) return kExact;
    const std::string_view suffix = std::string_view(pattern).substr(pattern.starts_with("*.") ? 1 : 0);
    if (pattern.starts_with("*.") && name.size() > suffix.size() && name.ends_with(suffix)) {
      best = std::max(best, static_cast<int>(suffix.size()));
    }
  }
  return best;
}

// The client's first protocol that some rule names wins over its later ones.
int FitOfProtocols(const std::vector<std::string>& wanted, const std::vector<std::string_view>& offered) {
  if (wanted.empty()) return 0;
  for (std::size_t i = 0; i < offered.size(); ++i) {
    if (std::find(wanted.begin(), wanted.end(), offered[i]) != wanted.end())
      return static_cast<int>(offered.size() - i);
  }
  return kMiss;
}

int FitOfSourceType(Match::SourceType wanted, const ConnectionFacts& facts) {
  if (wanted == Match::SourceType::kAny) return 0;
  const bool local = facts.source.is_unix() || facts.source.ip.is_loopback() || facts.source.ip == facts.destination.ip;
  return local == (wanted == Match::SourceType::kSameIpOrLoopback) ? 1 : kMiss;
}

int FitOfPort(const std::vector<std::uint16_t>& ports, std::uint16_t port) {
  if (ports.empty()) return 0;
  return std::find(ports.begin(), ports.end(), port) != ports.end() ? 1 : kMiss;
}

int FitOf(int criterion, const xds::FilterChainMatch& rule, const ConnectionFacts& facts) {
  switch (criterion) {
    case 0:
      if (!rule.destination_port) return 0;
      return rule.destination_port == facts.destination.port.value ? 1 : kMiss;
    case 1: return FitOfRanges(rule.prefix_ranges, facts.destination.ip);
    case 2: return FitOfServerName(rule.server_names, facts.server_name);
    case 3:
      if (rule.transport_protocol.empty()) return 0;
      return rule.transport_protocol == facts.transport_protocol ? 1 : kMiss;
    case 4: return FitOfProtocols(rule.application_protocols, facts.application_protocols);
    case 5: return FitOfRanges(rule.direct_source_prefix_ranges, facts.source.ip);
    case 6: return FitOfSourceType(rule.source_type, facts);
    case 7: return FitOfRanges(rule.source_prefix_ranges, facts.source.ip);
    default: return FitOfPort(rule.source_ports, facts.source.port.value);
  }
}
constexpr int kCriteria = 9;

}  // namespace

std::optional<std::size_t> ChainMatcher::Match(const ConnectionFacts& facts) const {
  std::vector<std::size_t> left(rules_.size());
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = i;
  for (int criterion = 0; criterion < kCriteria && !left.empty(); ++criterion) {
    int best = kMiss;
    std::vector<std::size_t> kept;
    for (const std::size_t i : left) {
      const int fit = FitOf(criterion, rules_[i], facts);
      if (fit == kMiss || fit < best) continue;
      if (fit > best) kept.clear();
      best = fit;
      kept.push_back(i);
    }
    left = std::move(kept);
  }
  return left.empty() ? std::nullopt : std::optional(left.front());
}

bool ChainMatcher::needs_tls_inspection() const noexcept {
  return std::any_of(rules_.begin(), rules_.end(), [](const xds::FilterChainMatch& rule) {
    return !rule.server_names.empty() || rule.transport_protocol == "tls" || !rule.application_protocols.empty();
  });
}

}  // namespace plait::proxy::listen
