#include "core/xds/json_format.h"

#include <algorithm>

namespace plait::xds {

JsonFormat JsonFormat::Text(std::string text) {
  JsonFormat out;
  out.kind = Kind::kText;
  out.text = std::move(text);
  return out;
}

JsonFormat JsonFormat::Object(std::vector<std::pair<std::string, std::string>> texts) {
  std::sort(texts.begin(), texts.end());
  JsonFormat out;
  for (auto& [key, text] : texts) {
    out.keys.push_back(std::move(key));
    out.items.push_back(Text(std::move(text)));
  }
  return out;
}

}  // namespace plait::xds
