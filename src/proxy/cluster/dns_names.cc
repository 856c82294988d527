#include "proxy/cluster/dns_names.h"

#include <algorithm>
#include <utility>

namespace plait::proxy::cluster {
namespace {

bool HasAddresses(const Result<NameResolver::Answer>& answer) { return answer && !answer->addresses.empty(); }

// Uniform in [0, most).
Duration PartOf(Duration most, Random& random) {
  if (most <= Duration::zero()) return Duration::zero();
  return Duration(static_cast<Duration::rep>(random.Below(static_cast<std::uint64_t>(most.count()))));
}

}  // namespace

DnsNames::DnsNames(io::Loop& loop, NameResolver& resolver, Random& random, Options options, const DnsNames* before)
    : loop_(loop), resolver_(resolver), random_(random), options_(std::move(options)) {
  for (const xds::LocalityEndpoints& group : options_.config->load_assignment.localities) {
    for (const xds::Endpoint& endpoint : group.endpoints) {
      if (!endpoint.dns_name.empty()) names_.try_emplace(endpoint.dns_name);
    }
  }
  unanswered_ = names_.size();
  for (auto& [text, name] : names_) {
    const Addresses* known = before != nullptr ? before->Find(text) : nullptr;
    if (known != nullptr) name.addresses = *known;
    name.again.SetCallback([this, &text, &name] { Ask(text, name); });
    Ask(text, name);
  }
}

const DnsNames::Addresses* DnsNames::Find(std::string_view name) const {
  const auto at = names_.find(name);
  return at == names_.end() ? nullptr : &at->second.addresses;
}

void DnsNames::Ask(const std::string& text, Name& name) {
  options_.state->Add(MembershipStat::kUpdateAttempt);
  name.lookup =
      resolver_.Resolve(text, options_.config->dns_lookup_family,
                        [this, &name](Result<NameResolver::Answer> answer) { Took(name, std::move(answer)); });
}

void DnsNames::Took(Name& name, Result<NameResolver::Answer> answer) {
  name.again.Start(loop_.timers(), PauseAfter(name, answer));
  // A name that fails keeps its last addresses. One without addresses has none any more; but a LOGICAL_DNS cluster is
  // one host, which does not go.
  const bool holds = HasAddresses(answer) || (answer && options_.config->type == xds::Cluster::Type::kStrictDns);
  options_.state->Add(holds ? MembershipStat::kUpdateSuccess : MembershipStat::kUpdateFailure);
  bool changed = false;
  if (holds) {
    Addresses& now = answer->addresses;
    if (options_.config->type == xds::Cluster::Type::kLogicalDns) {
      // One host, at the address that the resolver puts first: it spreads callers by that, or knows which is near.
      changed = name.addresses.empty() || now.front() != name.addresses.front();
    } else {
      // Resolvers give the addresses of one name in any order; the same ones are no change, and each is one host.
      std::sort(now.begin(), now.end());
      now.erase(std::unique(now.begin(), now.end()), now.end());
      changed = now != name.addresses;
    }
    name.addresses = std::move(now);
  }
  const bool first = !std::exchange(name.answered, true);
  if (first) --unanswered_;
  if (unanswered_ > 0) return;
  if (first || changed) return options_.changed();
  if (holds) options_.state->Add(MembershipStat::kUpdateNoRebuild);
}

Duration DnsNames::PauseAfter(Name& name, const Result<NameResolver::Answer>& answer) {
  // A name without addresses is asked for as one that fails: it serves nobody until it has some.
  if (!HasAddresses(answer)) return PauseAfterFailure(name);
  name.reach = Duration::zero();
  const xds::Cluster& config = *options_.config;
  const bool by_ttl = config.respect_dns_ttl && answer->ttl && *answer->ttl > Duration::zero();
  const Duration pause = by_ttl ? *answer->ttl : config.dns_refresh_rate;
  return pause + std::min(PartOf(config.dns_jitter, random_), Duration::max() - pause);
}

// Between the base interval and a reach that doubles from failure to failure, up to the maximum.
Duration DnsNames::PauseAfterFailure(Name& name) {
  const auto& rate = options_.config->dns_failure_refresh_rate;
  if (!rate) return options_.config->dns_refresh_rate;
  const Duration last = std::max(name.reach, rate->base_interval);
  name.reach = last > rate->max_interval / 2 ? rate->max_interval : last * 2;
  return rate->base_interval + PartOf(name.reach - rate->base_interval, random_);
}

}  // namespace plait::proxy::cluster
