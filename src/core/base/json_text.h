#pragma once
// JSON as text. What people wrote, file names too, may be no UTF-8: U+FFFD stands in its place, where the library would
// throw.
#include <string>

namespace plait {

// `Json`: one of nlohmann's types. `indent`: blanks a level; -1: all in one line.
template <class Json>
std::string JsonText(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace plait
