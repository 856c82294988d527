#include "cli/json_access.h"

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"

namespace plait::cli {

const Json& At(const Json& object, std::string_view key) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(std::string(key));
  return found == object.end() ? kNothing : *found;
}

const Json& At(const Json& object, std::initializer_list<std::string_view> path) {
  const Json* at = &object;
  for (const std::string_view key : path) at = &At(*at, key);
  return *at;
}

std::string Text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : JsonText(value);
}

std::string Text(const Json& object, std::initializer_list<std::string_view> path) { return Text(At(object, path)); }

std::string OrDash(std::string text) { return text.empty() ? "-" : text; }

}  // namespace plait::cli
