#include "control/translate/extensions.h"

#include <algorithm>

namespace plait::control::translate {
namespace {

// Empty: every client knows it.
std::string_view TypeOf(const xds::HttpFilterConfig& config) {
  if (std::holds_alternative<xds::IstioAlpnFilter>(config)) return kIstioAlpn;
  if (std::holds_alternative<xds::IstioStatsFilter>(config)) return kIstioStats;
  if (std::holds_alternative<xds::GrpcStatsFilter>(config)) return kGrpcStats;
  return {};
}

template <class Filters, class Type>
void Remove(const model::Proxy& proxy, Filters& filters, Type type_of) {
  std::erase_if(filters, [&](const auto& filter) {
    const std::string_view type = type_of(filter.config);
    return !type.empty() && !Knows(proxy, type);
  });
}

void Remove(const model::Proxy& proxy, xds::FilterChain& chain) {
  Remove(proxy, chain.filters, [](const xds::NetworkFilterConfig& config) {
    return std::holds_alternative<xds::IstioTcpStats>(config) ? kIstioStats : std::string_view();
  });
  for (xds::NetworkFilter& filter : chain.filters)
    if (auto* manager = std::get_if<xds::HttpConnectionManager>(&filter.config))
      Remove(proxy, manager->filters, TypeOf);
}
}  // namespace

std::vector<std::string> OptionalExtensionsOf(const std::vector<std::string>& listed) {
  std::vector<std::string> out;
  for (const std::string_view type : kOptionalExtensions) {
    // Envoy lists message names without the prefix of a URL.
    const std::string_view name = type.substr(type.rfind('/') + 1);
    if (std::any_of(listed.begin(), listed.end(), [&](const std::string& url) { return url == type || url == name; }))
      out.emplace_back(type);
  }
  return out;
}

bool Knows(const model::Proxy& proxy, std::string_view type_url) {
  return proxy.form == model::Proxy::Form::kPlait ||
         std::find(proxy.extensions.begin(), proxy.extensions.end(), type_url) != proxy.extensions.end();
}

void LeaveOutUnknown(const model::Proxy& proxy, std::vector<xds::Listener>& listeners) {
  if (proxy.form == model::Proxy::Form::kPlait) return;
  for (xds::Listener& listener : listeners) {
    for (xds::FilterChain& chain : listener.filter_chains) Remove(proxy, chain);
    if (listener.default_filter_chain) Remove(proxy, *listener.default_filter_chain);
  }
}

}  // namespace plait::control::translate
