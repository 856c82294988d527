#pragma once
// JSON as text, and from text what processes of Plait tell each other.
#include <string>
#include <string_view>

namespace plait {

// What people wrote, file names too, may be no UTF-8: U+FFFD stands in its place, where the library would throw.
// `Json`: one of nlohmann's types. `indent`: blanks a level; -1: all in one line.
template <class Json>
std::string JsonText(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// A message between processes of Plait, whose numbers are whole. Throws the library's error for another text, for a
// number with a fraction or beyond 64 bits (to make an integer of it is undefined), and for more than 64 levels (the
// library writes and copies a value by recursion).
template <class Json>
Json ParseJsonMessage(std::string_view text) {
  constexpr int kMaxDepth = 64;
  return Json::parse(text, [](int depth, typename Json::parse_event_t, const Json& value) {
    if (depth > kMaxDepth) throw Json::other_error::create(501, "it is nested too deeply", nullptr);
    if (value.is_number_float()) throw Json::other_error::create(501, "a number is not a whole one", nullptr);
    return true;
  });
}

}  // namespace plait
