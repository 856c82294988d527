#include "control/model/path_template.h"

#include <re2/re2.h>

#include "core/base/strings.h"
#include "core/xds/regex_limit.h"

namespace plait::control::model {

std::string PathTemplateRegex(std::string_view path) {
  std::string regex;
  for (std::string_view segment : Split(path, '/')) {
    if (!regex.empty() || path.starts_with('/')) regex += regex.empty() && segment.empty() ? "" : "/";
    regex += segment == "{*}"    ? "[^/]+"
             : segment == "{**}" ? ".*"
                                 : RE2::QuoteMeta(re2::StringPiece(segment.data(), segment.size()));
  }
  return regex;
}

bool IsTooLarge(std::string_view path_template) {
  const RE2 compiled(PathTemplateRegex(path_template), RE2::Quiet);
  return !compiled.ok() || compiled.ProgramSize() > xds::kMaxRegexProgram;
}

}  // namespace plait::control::model
