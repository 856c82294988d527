#include "control/serve/session.h"

#include <algorithm>
#include <array>

#include "core/xds/type_url.h"

namespace plait::control::serve {
namespace {

using namespace xds::type_url;  // NOLINT: the names of types

constexpr std::array kOrder = {kSecret, kCluster, kEndpoint, kListener, kRoute, kL4Routes};

constexpr std::size_t kMostReason = 4096;  // bytes; each client may hold as much here for each type

std::size_t Rank(std::string_view url) noexcept {
  return static_cast<std::size_t>(std::find(kOrder.begin(), kOrder.end(), url) - kOrder.begin());
}

}  // namespace

bool PushOrder::operator()(std::string_view a, std::string_view b) const noexcept {
  const std::size_t left = Rank(a), right = Rank(b);
  return left != right ? left < right : a < b;
}

bool WarmsClusters(std::string_view type_url, const Subscription& subscription, const Proxy& proxy) noexcept {
  return type_url == kCluster && subscription.wildcard && !proxy.plait_form;
}

bool IsTarget(std::string_view type_url) noexcept { return type_url == kCluster || type_url == kEndpoint; }
bool IsRouting(std::string_view type_url) noexcept {
  return type_url == kListener || type_url == kRoute || type_url == kL4Routes;
}

Result<> CheckNames(const std::vector<std::string>& names) {
  const auto long_name = std::find_if(names.begin(), names.end(),
                                      [](const std::string& n) { return n.size() > SessionLimits::kMaxNameBytes; });
  if (long_name != names.end()) return Fail(Errc::kLimit, "the stream subscribes to a name of more than 1,024 bytes");
  return {};
}

void SentStatus::CountSent(const std::string& nonce, const std::string& version, std::size_t added,
                           std::size_t removed) {
  ++sent;
  resources_sent += added;
  removals_sent += removed;
  sent_nonce = nonce;
  sent_version = version;
}

void SentStatus::CountAck(const std::string& nonce, const std::string& version, bool mended) {
  ++acked;
  acked_nonce = nonce;
  acked_version = version;
  if (mended) last_error.clear();
}

void SentStatus::CountNack(const std::string& error) {
  ++nacked;
  last_error = error.empty() ? "rejected without a reason" : Cut(error, kMostReason);
}

void Progress::Advance(std::uint64_t now, bool compared_now, bool under_way) noexcept {
  if (compared_now) compared = now;
  if (!under_way) settled = compared;
}

SentStatus Subscription::Status(std::size_t held, std::size_t unacknowledged) const {
  SentStatus out = counts;
  out.wildcard = wildcard;
  out.names = names.size();
  out.resources = held;
  out.unacknowledged = unacknowledged;
  return out;
}

std::vector<std::string> Subscription::Names() const {
  std::vector<std::string> out;
  if (wildcard) out.emplace_back(kWildcard);
  out.insert(out.end(), names.begin(), names.end());
  return out;
}

}  // namespace plait::control::serve
