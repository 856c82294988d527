#include "proxy/worker/tls_checks.h"

#include <utility>

#include "proxy/cluster/cluster.h"

namespace plait::proxy::worker {
namespace {

std::unexpected<Diagnostic> Refuse(Diagnostic why, const std::string& where) {
  why.message = where + ": " + why.message;
  return std::unexpected(std::move(why));
}

bool IsCertificate(const xds::Secret& secret) { return std::holds_alternative<xds::TlsCertificate>(secret.value); }

Outcome<ContextPtr> ContextOf(const std::shared_ptr<const xds::Secret>& secret) {
  Secrets alone;
  alone.Put(secret);
  if (IsCertificate(*secret)) {
    xds::DownstreamTlsContext shows;
    shows.common.certificate_secrets = {{.name = secret->name}};
    return alone.Server(shows);
  }
  xds::UpstreamTlsContext verifies;
  // Roots may also come from the context that the secret is used in, or be none.
  verifies.common.validation = xds::ValidationContext{.accept_untrusted = true};
  verifies.common.validation_secret = xds::SecretRef{.name = secret->name};
  return alone.Client(verifies, false);
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

Outcome<> CheckSecret(const std::shared_ptr<const xds::Secret>& secret, const Secrets& held) {
  const std::string where = "secret " + secret->name;
  if (const auto before = held.Get(secret->name); before && IsCertificate(*before) != IsCertificate(*secret)) {
    const bool was = IsCertificate(*before);
    return Explain(Errc::kInvalidInput,
                   where + ": it is a " + (was ? "certificate" : "validation context") + " and cannot become a " +
                       (was ? "validation context" : "certificate"),
                   "give the other one a name of its own");
  }
  if (const auto context = ContextOf(secret); !context) return Refuse(context.error(), where);
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
