#pragma once
// What the server's side of an ADS stream has in common in both forms of the protocol (delta_session.h,
// sotw_session.h): limits, the order of types, and what is kept for people.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/serve/proxy.h"
#include "core/base/result.h"

namespace plait::control::serve {

// What a request said of an earlier response.
enum class Reply : std::uint8_t { kNone, kAck, kNack, kExpiredNonce };

// For status pages and `plait ps`.
struct SentStatus {
  bool wildcard = false;
  std::size_t names = 0;                          // subscribed by name
  std::size_t resources = 0;                      // sent and still held by the client
  std::string sent_nonce, acked_nonce;            // of the newest response, and of the newest that was acknowledged
  std::string sent_version, acked_version;        // of the configurations that they came from
  std::uint64_t sent = 0, acked = 0, nacked = 0;  // responses
  std::uint64_t resources_sent = 0, removals_sent = 0;
  std::string last_error;  // of the last NACK, its first 4 KiB; empty once what it refused is acknowledged
  std::size_t unacknowledged = 0;
  bool synced() const noexcept { return unacknowledged == 0 && last_error.empty(); }

  void CountSent(const std::string& nonce, const std::string& version, std::size_t added, std::size_t removed);
  // `mended`: nothing is refused any more.
  void CountAck(const std::string& nonce, const std::string& version, bool mended = true);
  void CountNack(const std::string& error);
};

// What a session of either form keeps of a type that the client asked for.
struct Subscription {
  bool wildcard = false;
  std::set<std::string, std::less<>> names;
  SentStatus counts;

  // `counts`, completed for now: with how many resources the client holds, and responses that it has not answered.
  SentStatus Status(std::size_t held, std::size_t unacknowledged) const;
  std::vector<std::string> Names() const;  // "*" first where it is
};

// How far a type has come towards the client, told as the number of the newest change of the configuration that it has
// come to. What names targets of a change may go out when all types of targets have settled it.
struct Progress {
  std::uint64_t compared = 0;  // with what was sent
  std::uint64_t settled = 0;   // what was found then is sent, and acknowledged where the client warms it

  // `compared_now`: nothing is to be compared. `under_way`: something that was found is not settled.
  void Advance(std::uint64_t now, bool compared_now, bool under_way) noexcept;
};

// Of one stream; a client that asks for more is ended with RESOURCE_EXHAUSTED.
struct SessionLimits {
  static constexpr std::size_t kMaxNames = 50'000;     // subscribed, all types together
  static constexpr std::size_t kMaxInitial = 200'000;  // named as held by a reconnecting client
  static constexpr std::size_t kMaxNameBytes = 1024;   // of one name
  static constexpr std::size_t kMaxTypes = 32;
};
// kLimit when one of the names is too long.
Result<> CheckNames(const std::vector<std::string>& names);

inline constexpr std::string_view kWildcard = "*";

// Whether these are clusters of a stock Envoy that has the wildcard: it acknowledges them when all of them are warm (it
// pauses its requests of the type until then), and warms anew what has changed.
bool WarmsClusters(std::string_view type_url, const Subscription& subscription, const Proxy& proxy) noexcept;

// Types in the order in which new things go out: what a listener or route may name comes before it.
struct PushOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept;
};
bool IsTarget(std::string_view type_url) noexcept;   // routes lead to them: clusters and endpoints
bool IsRouting(std::string_view type_url) noexcept;  // name targets: listeners and routes

// Whether all types of targets have settled this change. `types`: by URL, each with its Progress as `progress`.
template <class Types>
bool TargetsSettled(const Types& types, std::uint64_t change) noexcept {
  return std::all_of(types.begin(), types.end(), [&](const auto& entry) {
    return !IsTarget(entry.first) || entry.second.progress.settled >= change;
  });
}

}  // namespace plait::control::serve
