// Header fields, authorities and request targets. The input is lines, each a letter and its text: operations on a list
// of fields, held against a plain vector of pairs after each of them, or a text to take apart.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "core/http/headers.h"
#include "core/http/message.h"

namespace {
using namespace plait;

class Pair {
 public:
  void Apply(char op, std::string_view text) {
    const auto [name, rest] = SplitOnce(text, ':');
    const std::string_view value = rest.value_or("");
    switch (op) {
      case 'a': Add(name, value); break;
      case 's': Set(name, value); break;
      case 'r': PLAIT_CHECK(fields_.Remove(text) == Drop([&](const Field& f) { return Same(f.first, text); })); break;
      case 'p':
        PLAIT_CHECK(fields_.RemovePrefix(text) == Drop([&](const Field& f) { return Begins(f.first, text); }));
        break;
      case 'v': OfItself(text); break;
      case 'c': fields_ = http::Headers(fields_); break;
      case 'm': {
        http::Headers moved(std::move(fields_));
        fields_ = std::move(moved);
        break;
      }
      case 'x':
        fields_.Clear();
        model_.clear();
        break;
      default: break;
    }
    Compare(name, value);
  }

 private:
  using Field = std::pair<std::string, std::string>;
  static bool Same(std::string_view a, std::string_view b) { return ToLower(a) == ToLower(b); }
  static bool Begins(std::string_view name, std::string_view prefix) {
    return ToLower(name).starts_with(ToLower(prefix));
  }
  void Add(std::string_view name, std::string_view value) {
    model_.emplace_back(name, value);
    fields_.Add(name, value);
  }
  void Set(std::string_view name, std::string_view value) {
    const auto first = std::find_if(model_.begin(), model_.end(), [&](const Field& f) { return Same(f.first, name); });
    if (first == model_.end()) {
      model_.emplace_back(name, value);
    } else {
      first->second = value;
      model_.erase(std::remove_if(first + 1, model_.end(), [&](const Field& f) { return Same(f.first, name); }),
                   model_.end());
    }
    fields_.Set(name, value);
  }
  // Views into the list itself as arguments: another field's value becomes this one's.
  void OfItself(std::string_view name) {
    if (model_.empty()) return;
    model_.emplace_back(name, model_.back().second);
    fields_.Add(name, fields_.at(fields_.size() - 1).value);
  }
  template <class Gone>
  std::size_t Drop(Gone gone) {
    return std::erase_if(model_, gone);
  }
  void Compare(std::string_view name, std::string_view token) const {
    PLAIT_CHECK(fields_.size() == model_.size() && fields_.empty() == model_.empty());
    std::size_t bytes = 0;
    std::optional<std::string> joined;
    bool listed = false;
    for (std::size_t i = 0; i < model_.size(); ++i) {
      PLAIT_CHECK(fields_.at(i).name == model_[i].first && fields_.at(i).value == model_[i].second);
      bytes += model_[i].first.size() + model_[i].second.size() + 4;
      if (!Same(model_[i].first, name)) continue;
      if (!joined) PLAIT_CHECK(fields_.Get(name) == model_[i].second);
      const std::string_view separator = Same(name, "cookie") ? "; " : ", ";
      joined = joined ? joined->append(separator).append(model_[i].second) : model_[i].second;
      for (const std::string_view part : Split(model_[i].second, ',')) listed = listed || Same(Trim(part), token);
    }
    PLAIT_CHECK(fields_.byte_size() == bytes && fields_.Has(name) == joined.has_value());
    PLAIT_CHECK(fields_.GetJoined(name) == joined && fields_.HasToken(name, token) == listed);
  }

  http::Headers fields_;
  std::vector<Field> model_;
};

void Authority(std::string_view text) {
  const std::string_view host = http::HostOnly(text);
  const std::uint16_t port = http::PortOf(text);
  PLAIT_CHECK(text.starts_with(host));
  if (port != 0) PLAIT_CHECK(std::string(host) + ':' + std::string(text.substr(host.size() + 1)) == text);
  if (!http::IsAuthority(text)) return;
  PLAIT_CHECK(!host.empty() && text.find_first_of("@/?# \r\n") == std::string_view::npos);
  PLAIT_CHECK(http::IsAuthority(host));
  const std::string_view rest = text.substr(host.size());
  PLAIT_CHECK(rest.empty() || (rest.front() == ':' && std::all_of(rest.begin() + 1, rest.end(), IsDigit)));
}

void Target(std::string_view text) {
  const std::string_view before = text.substr(0, text.find('#'));
  const std::string_view path = http::PathOnly(text);
  const std::string_view query = http::QueryOf(text);
  PLAIT_CHECK(path.find_first_of("?#") == std::string_view::npos && query.find('#') == std::string_view::npos);
  PLAIT_CHECK(std::string(path) + (path.size() < before.size() ? "?" : "") + std::string(query) == before);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  Pair pair;
  for (const std::string_view line : Split({reinterpret_cast<const char*>(data), size}, '\n')) {
    if (line.empty()) continue;
    const std::string_view text = line.substr(1);
    if (line[0] == 'h') {
      Authority(text);
    } else if (line[0] == 't') {
      Target(text);
    } else {
      pair.Apply(line[0], text);
    }
  }
  return 0;
}
