#include "proxy/worker/fetch_limits.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "proxy/cluster/cluster.h"

namespace plait::proxy::worker {
namespace {

void Note(FetchLimits::ByName& into, const std::string& name, const std::optional<Duration>& limit) {
  if (!limit) return;
  const auto [at, first] = into.emplace(name, *limit);
  if (first) return;
  const bool for_ever = at->second == Duration::zero() || *limit == Duration::zero();
  at->second = for_ever ? Duration::zero() : std::max(at->second, *limit);
}

void NoteSecrets(FetchLimits& into, const xds::CommonTlsContext& tls) {
  for (const xds::SecretRef& secret : tls.certificate_secrets) Note(into.secrets, secret.name, secret.fetch_timeout);
  if (tls.validation_secret) Note(into.secrets, tls.validation_secret->name, tls.validation_secret->fetch_timeout);
}

void NoteChain(FetchLimits& into, const xds::FilterChain& chain) {
  if (chain.tls) NoteSecrets(into, chain.tls->common);
  for (const xds::NetworkFilter& filter : chain.filters) {
    if (const auto* http = std::get_if<xds::HttpConnectionManager>(&filter.config)) {
      if (const auto* rds = std::get_if<xds::RdsRef>(&http->routes)) Note(into.routes, rds->name, rds->fetch_timeout);
    } else if (const auto* inbound = std::get_if<xds::Inbound>(&filter.config)) {
      NoteSecrets(into, inbound->tls.common);
    }
  }
}

}  // namespace

FetchLimits FetchLimitsOf(const xds::Listener& listener) {
  FetchLimits limits;
  for (const xds::FilterChain& chain : listener.filter_chains) NoteChain(limits, chain);
  if (listener.default_filter_chain) NoteChain(limits, *listener.default_filter_chain);
  return limits;
}

FetchLimits FetchLimitsOf(const xds::Cluster& cluster) {
  FetchLimits limits;
  for (const xds::UpstreamTlsContext* tls : cluster::TlsOf(cluster)) NoteSecrets(limits, tls->common);
  return limits;
}

}  // namespace plait::proxy::worker
