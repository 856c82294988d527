#pragma once
// local.yaml: which program plays which container image when pods run as processes.
//
//   images:
//     examples-bookinfo-details-v1: [plait-demo-app, details]
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/model/finding.h"

namespace plait::control::source {

class LocalImages {
 public:
  // Adds the images of one file; an image that is already there is an error.
  void Add(std::string_view text, const std::string& file, model::Findings& findings);
  // By the last component of the image's name; registry, tag and digest do not matter. Null when unknown.
  const std::vector<std::string>* Find(std::string_view image) const noexcept;
  friend bool operator==(const LocalImages&, const LocalImages&) = default;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> images_;
};

std::string_view ImageName(std::string_view image) noexcept;  // "r.example:5000/a/web:1@sha256:..." -> "web"

}  // namespace plait::control::source
