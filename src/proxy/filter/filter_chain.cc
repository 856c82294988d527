#include "proxy/filter/http_filter.h"

namespace plait::proxy::filter {
namespace {

const FilterOverride* Find(const FilterOverrides* overrides, const std::string& name) {
  if (overrides == nullptr) return nullptr;
  for (const auto& [of, settings] : *overrides) {
    if (of == name) return settings.get();
  }
  return nullptr;
}

bool Enabled(const HttpFilterChain::Entry& entry, const FilterOverride* settings) {
  if (settings == nullptr || settings->activation == FilterOverride::Switch::kKeep) {
    return !entry.disabled || settings != nullptr;  // settings of its own enable a disabled filter, as in Envoy
  }
  return settings->activation == FilterOverride::Switch::kOn;
}

}  // namespace

std::vector<std::pair<std::string, Forecast>> ForeseeAll(const HttpFilterChain& chain, RequestView request,
                                                         const FilterOverrides* overrides) {
  std::vector<std::pair<std::string, Forecast>> all;
  for (const HttpFilterChain::Entry& entry : chain.entries()) {
    const FilterOverride* settings = Find(overrides, entry.name);
    if (!Enabled(entry, settings)) continue;
    std::optional<Forecast> forecast = entry.filter->Foresee(request, settings);
    if (!forecast) continue;
    all.emplace_back(entry.name, *std::move(forecast));
    if (!all.back().second.passes) break;
  }
  return all;
}

Verdict RequestFilters::Run(RequestView request, const FilterOverrides* overrides, Resume& later) {
  if (!chain_) return Continue{};
  const auto& entries = chain_->entries();
  while (next_ < entries.size()) {
    const std::size_t at = next_++;
    const FilterOverride* settings = Find(overrides, entries[at].name);
    if (!Enabled(entries[at], settings)) continue;
    FilterState state;
    FilterState& slot = states_.empty() ? state : states_[at];
    Verdict verdict = entries[at].filter->OnRequestHead(request, settings, slot, later);
    if (state) {
      states_.resize(entries.size());
      states_[at] = std::move(state);
    }
    if (!std::holds_alternative<Continue>(verdict)) return verdict;
  }
  return Continue{};
}

void RequestFilters::OnResponseHead(RequestView request, http::ResponseHead& head, const FilterOverrides* overrides) {
  if (!chain_) return;
  const auto& entries = chain_->entries();
  FilterState none;
  for (std::size_t at = next_; at-- > 0;) {
    const FilterOverride* settings = Find(overrides, entries[at].name);
    if (!Enabled(entries[at], settings)) continue;
    entries[at].filter->OnResponseHead(request, head, settings, states_.empty() ? none : states_[at]);
  }
}

}  // namespace plait::proxy::filter
