#include "cli/json_access.h"

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"

namespace plait::cli {

Json ParseJson(std::string_view text) {
  constexpr int kMaxDepth = 512;
  bool too_deep = false;
  Json json = Json::parse(
      text,
      [&](int depth, Json::parse_event_t, const Json&) {
        too_deep = too_deep || depth > kMaxDepth;
        return !too_deep;
      },
      /*allow_exceptions=*/false);
  return too_deep ? Json(Json::value_t::discarded) : json;
}

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
