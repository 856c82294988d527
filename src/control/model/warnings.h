#pragma once
// Internal to control/model: warnings of objects that were read, each good by itself, about what stands beside them.
#include <string>
#include <utility>
#include <vector>

#include "control/model/finding.h"
#include "control/model/meta.h"
#include "core/yaml/node.h"

namespace plait::control::model {

// "f.yaml:3:18"
inline std::string PlaceOf(const Meta& meta) {
  return meta.at.file + ":" + std::to_string(meta.at.line) + ":" + std::to_string(meta.at.column);
}

// Of one of several, as in VirtualService::gateways_at; none where it is not known.
inline yaml::Mark PlaceOf(const std::vector<Place>& places, std::size_t index) {
  return index < places.size() ? places[index].mark : yaml::Mark{};
}

// What a hint begins with; empty when there is no `near` name.
inline std::string DidYouMean(const std::string& near) { return near.empty() ? "" : "did you mean \"" + near + "\"? "; }

// Why of two objects that contradict each other `older` counts (IsOlder).
inline std::string WhyInForce(const Meta& older, const Meta& younger) {
  return older.created < younger.created ? "because it is older" : "because its name comes first";
}

// `at`: none: the place of the object's name. `remedy`: as in Finding.
inline Finding WarningOf(const Meta& meta, yaml::Mark at, std::string message, std::string hint, std::string code = {},
                         std::string remedy = {}, Errc errc = Errc::kNotFound) {
  return {Severity::kWarning,
          {.code = errc,
           .message = std::move(message),
           .object = meta.key.ToString(),
           .at = at.line == 0 ? meta.at : yaml::At(meta.at.file, at),
           .hint = std::move(hint)},
          std::move(code),
          std::move(remedy)};
}

// A name of an object that is not there. `until_then`: what becomes of it meanwhile.
inline Finding MissingName(const Meta& meta, yaml::Mark at, std::string message, const std::string& remedy,
                           const std::string& until_then = {}, std::string code = "IST0101") {
  return WarningOf(meta, at, std::move(message), remedy + (until_then.empty() ? "" : "; until then " + until_then),
                   std::move(code), remedy);
}

}  // namespace plait::control::model
