#pragma once
// The query of a request's target as decoded pairs, in their order.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/encoding.h"
#include "core/base/strings.h"
#include "core/http/message.h"

namespace plait::proxy::admin {

class Parameters {
 public:
  explicit Parameters(std::string_view target) {
    for (const std::string_view pair : Split(http::QueryOf(target), '&')) {
      const auto [name, value] = SplitOnce(pair, '=');
      if (!name.empty()) all_.emplace_back(Decoded(name), Decoded(value.value_or("")));
    }
  }
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  std::string Get(std::string_view name) const {
    const std::string* value = Find(name);
    return value == nullptr ? "" : *value;
  }
  const std::vector<std::pair<std::string, std::string>>& all() const noexcept { return all_; }

 private:
  static std::string Decoded(std::string_view text) { return PercentDecode(text).value_or(std::string(text)); }
  const std::string* Find(std::string_view name) const {
    for (const auto& [key, value] : all_) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  std::vector<std::pair<std::string, std::string>> all_;
};

}  // namespace plait::proxy::admin
