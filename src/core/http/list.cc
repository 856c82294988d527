#include "core/http/list.h"

#include "core/base/strings.h"

namespace plait::http {

std::optional<std::string_view> TokenIn(std::string_view list, std::string_view token) noexcept {
  while (true) {
    const std::size_t comma = list.find(',');
    if (const std::string_view found = Trim(list.substr(0, comma)); EqualsIgnoreCase(found, token)) return found;
    if (comma == std::string_view::npos) return std::nullopt;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace plait::http
