#include <algorithm>

#include "core/xds/data_source.h"
#include "proxy/filters/factory.h"
#include "proxy/route/compiled.h"

namespace plait::proxy::route {
namespace {

// Joins the first failure of several steps, so that each step reads as one line.
class Steps {
 public:
  template <class T, class U>
  void Take(Outcome<T> outcome, U& into) {
    if (!failed_ && !outcome) failed_ = outcome.error();
    if (!failed_) into = *std::move(outcome);
  }
  void Take(const Outcome<>& outcome) {
    if (!failed_ && !outcome) failed_ = outcome.error();
  }
  std::optional<Diagnostic>& failed() { return failed_; }

 private:
  std::optional<Diagnostic> failed_;
};

Outcome<std::shared_ptr<const re2::RE2>> CompileRewrite(const xds::RegexRewrite& rewrite) {
  auto regex = match::CompileRegex(rewrite.pattern);
  if (!regex) return regex;
  if (auto ok = match::CheckSubstitution(**regex, rewrite.substitution); !ok) return std::unexpected(ok.error());
  return regex;
}

Outcome<std::shared_ptr<const re2::RE2>> CompileRewrite(const std::optional<xds::RegexRewrite>& rewrite) {
  if (!rewrite) return nullptr;
  return CompileRewrite(*rewrite);
}

Outcome<std::string> ReadBody(const xds::DataSource& source, std::size_t most) {
  Outcome<std::string> text = xds::ReadSource(source, most);
  if (!text && text.error().code == Errc::kLimit)
    return Explain(Errc::kLimit, "file " + text.error().message, "raise max_direct_response_body_size_bytes");
  return text;
}

void CompileClusters(const xds::RouteConfiguration& config, const xds::VirtualHost& host, const xds::Route& route,
                     CompiledRoute& out, Steps& steps) {
  const xds::RouteAction& action = *out.action;
  for (const xds::WeightedCluster& cluster : action.clusters) {
    ClusterChoice choice{.config = &cluster};
    steps.Take(HeaderRules::Compile(cluster.headers), choice.headers);
    steps.Take(
        filters::CompileOverrides({&cluster.per_filter, &route.per_filter, &host.per_filter, &config.per_filter}),
        choice.overrides);
    out.total_weight += cluster.weight;
    out.clusters.push_back(std::move(choice));
  }
  if (action.clusters.empty() && action.cluster_header.empty()) {
    steps.Take(Explain(Errc::kInvalidInput, "names no cluster"));
  } else if (!action.clusters.empty() && out.total_weight == 0) {
    steps.Take(Explain(Errc::kInvalidInput, "the weights of its clusters sum to 0"));
  }
}

void CompileAction(const xds::RouteConfiguration& config, const xds::VirtualHost& host, const xds::Route& route,
                   CompiledRoute& out, Steps& steps) {
  if (const auto* action = std::get_if<xds::RouteAction>(&route.action)) {
    out.action = action;
    out.retry = action->retry ? &*action->retry : host.retry ? &*host.retry : nullptr;
    out.timeout = action->timeout.value_or(std::chrono::seconds(15));
    CompileClusters(config, host, route, out, steps);
    steps.Take(CompileRewrite(action->regex_rewrite), out.rewrite_regex);
    if (action->host_rewrite.kind == xds::HostRewrite::Kind::kPathRegex) {
      steps.Take(CompileRewrite(action->host_rewrite.regex), out.host_regex);
    }
    for (const xds::HashPolicy& policy : action->hash) {
      out.hash_regexes.emplace_back();
      steps.Take(CompileRewrite(policy.rewrite), out.hash_regexes.back());
    }
  } else if (const auto* redirect = std::get_if<xds::RedirectAction>(&route.action)) {
    out.redirect = redirect;
    steps.Take(CompileRewrite(redirect->regex_rewrite), out.rewrite_regex);
  } else if (const auto* direct = std::get_if<xds::DirectResponse>(&route.action)) {
    out.direct_response = direct;
    steps.Take(ReadBody(direct->body, config.max_direct_response_body_size), out.direct_body);
  }
}

Outcome<CompiledRoute> CompileRoute(const xds::RouteConfiguration& config, const xds::VirtualHost& host,
                                    const xds::Route& route) {
  CompiledRoute out;
  Steps steps;
  out.config = &route;
  out.virtual_host = &host;
  out.path = &route.match.path;
  if (route.match.path.kind == xds::PathMatch::Kind::kRegex) {
    steps.Take(match::CompileRegex(route.match.path.value), out.path_regex);
  }
  steps.Take(match::CompileAll<match::HeaderMatch>(route.match.headers), out.headers);
  steps.Take(match::CompileAll<match::QueryMatch>(route.match.query_parameters), out.query);
  steps.Take(HeaderRules::Compile(route.headers), out.rules);
  steps.Take(filters::CompileOverrides({&route.per_filter, &host.per_filter, &config.per_filter}), out.overrides);
  CompileAction(config, host, route, out, steps);
  if (steps.failed()) return std::unexpected(*std::move(steps.failed()));
  return out;
}

}  // namespace

Outcome<std::unique_ptr<CompiledHost>> CompileHost(const xds::RouteConfiguration& config,
                                                   const xds::VirtualHost& host) {
  auto out = std::make_unique<CompiledHost>();
  out->config = &host;
  const auto in = [&](Diagnostic why, const std::string& where) {
    why.message = "virtual host '" + host.name + "'" + where + ": " + why.message;
    return std::unexpected(std::move(why));
  };
  auto rules = HeaderRules::Compile(host.headers);
  if (!rules) return in(rules.error(), "");
  out->rules = *std::move(rules);
  out->routes.reserve(host.routes.size());
  for (std::size_t i = 0; i < host.routes.size(); ++i) {
    const xds::Route& route = host.routes[i];
    Outcome<CompiledRoute> compiled = CompileRoute(config, host, route);
    if (!compiled) {
      return in(compiled.error(), " route " + (route.name.empty() ? std::to_string(i) : "'" + route.name + "'"));
    }
    out->routes.push_back(*std::move(compiled));
    out->routes.back().host = out.get();
  }
  return out;
}

Outcome<> RouteTable::Compiled::AddDomain(const std::string& text, const CompiledHost& host) {
  const std::string domain = ToLower(text);
  bool added = true;
  if (domain == "*") {
    added = any == nullptr;
    any = &host;
  } else if (domain.starts_with('*')) {
    added = suffixes[domain.size() - 1].try_emplace(domain.substr(1), &host).second;
  } else if (domain.ends_with('*')) {
    added = prefixes[domain.size() - 1].try_emplace(domain.substr(0, domain.size() - 1), &host).second;
  } else {
    added = exact.try_emplace(domain, &host).second;
  }
  if (added) return {};
  return Explain(Errc::kInvalidInput, "virtual host '" + host.config->name + "': domain '" + text + "' is given twice",
                 "each domain may stand in one virtual host of a route configuration");
}

Outcome<std::shared_ptr<const RouteTable>> RouteTable::Compile(std::shared_ptr<const xds::RouteConfiguration> config) {
  auto table = std::shared_ptr<RouteTable>(new RouteTable);
  table->config_ = std::move(config);
  table->compiled_ = std::make_unique<Compiled>();
  Compiled& compiled = *table->compiled_;
  auto rules = HeaderRules::Compile(table->config_->headers);
  if (!rules) return std::unexpected(rules.error());
  compiled.rules = *std::move(rules);
  std::vector<std::string>& clusters = table->clusters_;
  for (const xds::VirtualHost& host : table->config_->virtual_hosts) {
    auto made = CompileHost(*table->config_, host);
    if (!made) return std::unexpected(made.error());
    const CompiledHost& added = *compiled.hosts.emplace_back(*std::move(made));
    for (const std::string& domain : host.domains) {
      if (auto ok = compiled.AddDomain(domain, added); !ok) return std::unexpected(ok.error());
    }
    for (const CompiledRoute& route : added.routes) {
      if (route.action == nullptr) continue;
      for (const xds::WeightedCluster& cluster : route.action->clusters) clusters.push_back(cluster.name);
      for (const xds::MirrorPolicy& mirror : route.action->mirrors) clusters.push_back(mirror.cluster);
    }
    for (const xds::MirrorPolicy& mirror : host.mirrors) clusters.push_back(mirror.cluster);
  }
  for (const xds::MirrorPolicy& mirror : table->config_->mirrors) clusters.push_back(mirror.cluster);
  std::sort(clusters.begin(), clusters.end());
  clusters.erase(std::unique(clusters.begin(), clusters.end()), clusters.end());
  return table;
}

RouteTable::~RouteTable() = default;

}  // namespace plait::proxy::route
