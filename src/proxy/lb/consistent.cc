#include "proxy/lb/consistent.h"

#include <algorithm>
#include <cmath>

#include "proxy/lb/hash.h"

namespace plait::proxy::lb {
namespace {

std::string KeyOf(const xds::LbConfig& config, const cluster::Host& host) {
  if (config.use_hostname_for_hashing && !host.facts().hostname.empty()) return host.facts().hostname;
  return host.address().ToString();
}

// Weights that sum to 1.
std::vector<double> Normalized(const Hosts& hosts, std::span<const double> weights) {
  std::vector<double> shares(hosts.size());
  double sum = 0;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    shares[i] = std::max(weights.empty() ? static_cast<double>(hosts[i]->weight()) : weights[i], 1e-6);
    sum += shares[i];
  }
  for (double& share : shares) share /= sum;
  return shares;
}

class RingHash final : public LbPolicy {
 public:
  RingHash(const xds::LbConfig& config, const Hosts& hosts, std::span<const double> weights, std::uint64_t seed)
      : hosts_(hosts), random_(seed) {
    if (hosts.empty()) return;
    const std::vector<double> shares = Normalized(hosts, weights);
    const double least = *std::min_element(shares.begin(), shares.end());
    // The lightest host gets a whole number of places; the ring is at least the minimum and never above the maximum.
    const double places = std::min(std::ceil(least * static_cast<double>(config.minimum_ring_size)) / least,
                                   static_cast<double>(config.maximum_ring_size));
    double target = 0;
    std::uint64_t placed = 0;
    for (std::uint32_t i = 0; i < hosts.size(); ++i) {
      const std::string key = KeyOf(config, *hosts[i]) + "_";
      target += places * shares[i];
      for (std::uint64_t n = 0; static_cast<double>(placed) < target; ++n, ++placed) {
        ring_.push_back({Hash64(key + std::to_string(n)), i});
      }
    }
    std::sort(ring_.begin(), ring_.end(), [](const Place& a, const Place& b) { return a.hash < b.hash; });
  }
  const cluster::HostPtr* Pick(std::optional<std::uint64_t> hash) noexcept override {
    if (ring_.empty()) return nullptr;
    const std::uint64_t wanted = hash ? *hash : random_.Next();
    auto at = std::lower_bound(ring_.begin(), ring_.end(), wanted,
                               [](const Place& place, std::uint64_t value) { return place.hash < value; });
    if (at == ring_.end()) at = ring_.begin();
    return &hosts_[at->host];
  }

 private:
  struct Place {
    std::uint64_t hash;
    std::uint32_t host;
  };
  const Hosts& hosts_;
  Random random_;
  std::vector<Place> ring_;
};

// Each host fills the table in its own pseudo-random order (offset, skip); heavier hosts take more turns.
class Maglev final : public LbPolicy {
 public:
  Maglev(const xds::LbConfig& config, const Hosts& hosts, std::span<const double> weights, std::uint64_t seed)
      : hosts_(hosts), random_(seed) {
    if (!hosts.empty()) Fill(config, Normalized(hosts, weights));
  }
  const cluster::HostPtr* Pick(std::optional<std::uint64_t> hash) noexcept override {
    if (table_.empty()) return nullptr;
    return &hosts_[table_[(hash ? *hash : random_.Next()) % table_.size()]];
  }

 private:
  void Fill(const xds::LbConfig& config, const std::vector<double>& shares) {
    struct Builder {
      std::string key;
      std::uint32_t host;
      std::uint64_t next, skip;
      double turn;
    };
    const std::uint64_t size = std::max<std::uint64_t>(config.table_size, 2);
    const double most = *std::max_element(shares.begin(), shares.end());
    std::vector<Builder> builders;
    for (std::uint32_t i = 0; i < hosts_.size(); ++i) {
      std::string key = KeyOf(config, *hosts_[i]);
      const std::uint64_t offset = Hash64(key) % size;
      const std::uint64_t skip = Hash64(key, 1) % (size - 1) + 1;
      builders.push_back({std::move(key), i, offset, skip, 0});
    }
    // The order of the turns must not depend on the order in which the hosts were told.
    std::stable_sort(builders.begin(), builders.end(),
                     [](const Builder& a, const Builder& b) { return a.key < b.key; });
    constexpr std::uint32_t kFree = UINT32_MAX;
    table_.assign(size, kFree);
    std::uint64_t filled = 0;
    for (std::uint64_t round = 1; filled < size; ++round) {
      for (auto builder = builders.begin(); builder != builders.end() && filled < size; ++builder) {
        if (static_cast<double>(round) * shares[builder->host] < builder->turn) continue;
        builder->turn += most;
        while (table_[builder->next] != kFree) builder->next = (builder->next + builder->skip) % size;
        table_[builder->next] = builder->host;
        ++filled;
      }
    }
  }
  const Hosts& hosts_;
  Random random_;
  std::vector<std::uint32_t> table_;
};

}  // namespace

std::unique_ptr<LbPolicy> NewRingHash(const xds::LbConfig& config, const Hosts& hosts, std::span<const double> weights,
                                      std::uint64_t seed) {
  return std::make_unique<RingHash>(config, hosts, weights, seed);
}
std::unique_ptr<LbPolicy> NewMaglev(const xds::LbConfig& config, const Hosts& hosts, std::span<const double> weights,
                                    std::uint64_t seed) {
  return std::make_unique<Maglev>(config, hosts, weights, seed);
}

}  // namespace plait::proxy::lb
