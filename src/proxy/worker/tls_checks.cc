#include "proxy/worker/tls_checks.h"

#include <utility>

#include "core/xds/data_source.h"
#include "proxy/cluster/cluster.h"

namespace plait::proxy::worker {
namespace {

std::unexpected<Diagnostic> Refuse(Diagnostic why, const std::string& where) {
  why.message = where + ": " + why.message;
  return std::unexpected(std::move(why));
}

std::vector<const xds::DataSource*> SourcesOf(const xds::Secret& secret) {
  if (const auto* certificate = std::get_if<xds::TlsCertificate>(&secret.value))
    return {&certificate->certificate_chain, &certificate->private_key};
  std::vector<const xds::DataSource*> sources;
  if (const auto* validation = std::get_if<xds::ValidationContext>(&secret.value)) {
    sources = {&validation->trusted_ca, &validation->crl};
    for (const xds::TrustDomain& domain : validation->trust_domains) sources.push_back(&domain.bundle);
  }
  return sources;
}

Outcome<> CheckChain(const xds::FilterChain& chain, bool fixed, Secrets& secrets) {
  std::vector<const xds::DownstreamTlsContext*> contexts;
  if (chain.tls) contexts.push_back(&*chain.tls);
  for (const xds::NetworkFilter& filter : chain.filters) {
    if (const auto* inbound = std::get_if<xds::Inbound>(&filter.config)) contexts.push_back(&inbound->tls);
  }
  for (const xds::DownstreamTlsContext* tls : contexts) {
    const std::vector<std::string> needed = SecretsOf(tls->common);
    const bool in_place = needed.empty();
    if (!in_place && (!fixed || !secrets.HasAll(needed))) continue;
    if (const auto context = secrets.Server(*tls); !context) return std::unexpected(context.error());
  }
  return {};
}

}  // namespace

Outcome<> CheckReadable(const xds::Secret& secret) {
  for (const xds::DataSource* source : SourcesOf(secret)) {
    if (const auto content = ReadSource(*source); !content) return Refuse(content.error(), "secret " + secret.name);
  }
  return {};
}

Outcome<> CheckTls(const xds::Cluster& cluster, Secrets& secrets) {
  for (const xds::UpstreamTlsContext* tls : cluster::TlsOf(cluster)) {
    if (!secrets.HasAll(SecretsOf(tls->common))) continue;
    if (const auto context = secrets.Client(*tls, false); !context)
      return Refuse(context.error(), "cluster " + cluster.name);
  }
  return {};
}

Outcome<> CheckTls(const xds::Listener& listener, bool fixed, Secrets& secrets) {
  std::vector<const xds::FilterChain*> chains;
  for (const xds::FilterChain& chain : listener.filter_chains) chains.push_back(&chain);
  if (listener.default_filter_chain) chains.push_back(&*listener.default_filter_chain);
  for (const xds::FilterChain* chain : chains) {
    if (auto done = CheckChain(*chain, fixed, secrets); !done)
      return Refuse(done.error(), "listener " + listener.name + ": filter chain '" + chain->name + "'");
  }
  return {};
}

}  // namespace plait::proxy::worker
