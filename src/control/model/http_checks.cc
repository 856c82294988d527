#include "control/model/http_checks.h"

#include <re2/re2.h>

#include <algorithm>

#include "control/model/hosts.h"
#include "core/base/strings.h"
#include "core/http1/syntax.h"
#include "core/xds/command_operators.h"

namespace plait::control::model {
namespace {

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// What may not stand there is told without repeating it: it would spoil the terminal.
bool CheckCharacters(ObjectReader& reader, std::string_view path, std::string_view text, bool blanks) {
  const bool bad = std::any_of(text.begin(), text.end(),
                               [&](char c) { return blanks ? IsControl(c) && c != '\t' : IsControl(c) || c == ' '; });
  if (!bad) return true;
  reader.Error(path, blanks ? "a line break or another control character" : "a blank or a control character",
               blanks ? "write the value in one line" : "write a blank as %20");
  return false;
}

bool CheckEdits(ObjectReader& reader, const std::string& path, const HeaderEdits& edits, bool request) {
  for (const auto* list : {&edits.set, &edits.add})
    for (const auto& [name, value] : *list) {
      const std::string at = path + (list == &edits.set ? ".set[\"" : ".add[\"") + name + "\"]";
      if (request && IsHostHeader(name)) {
        if (!CheckTarget(reader, at, value)) return false;
        continue;
      }
      if (name.starts_with(':') || IsHostHeader(name)) {
        reader.Error(at, "the header \"" + name + "\" cannot be written", "use rewrite for the path and the authority");
        return false;
      }
      if (!CheckFieldName(reader, at, name) || !CheckCharacters(reader, at, value, /*blanks=*/true)) return false;
      if (const auto format = xds::ParseFormat(value); !format) {
        reader.Error(at, format.error().message, "write a percent sign as %%");
        return false;
      }
    }
  for (const std::string& name : edits.remove) {
    if (name.starts_with(':') || IsHostHeader(name)) {
      reader.Error(path + ".remove", "the header \"" + name + "\" cannot be removed", "each request has it");
      return false;
    }
    if (!CheckFieldName(reader, path + ".remove", name)) return false;
  }
  return true;
}

}  // namespace

bool CheckFieldName(ObjectReader& reader, std::string_view path, std::string_view name) {
  if (http1::IsToken(name)) return true;
  reader.Error(path, name.empty() ? "a header without a name" : "this is no name of a header",
               "use letters, digits and -, e.g. x-request-id");
  return false;
}

bool CheckEdits(ObjectReader& reader, const std::string& path, const MessageEdits& edits) {
  return CheckEdits(reader, path + ".request", edits.request, /*request=*/true) &&
         CheckEdits(reader, path + ".response", edits.response, /*request=*/false);
}

bool CheckTarget(ObjectReader& reader, std::string_view path, std::string_view target) {
  return CheckCharacters(reader, path, target, /*blanks=*/false);
}

bool CheckSubstitution(ObjectReader& reader, std::string_view path, const std::string& regex,
                       const std::string& substitution) {
  std::string why;
  const RE2 compiled(regex, RE2::Quiet);
  if (!compiled.CheckRewriteString(substitution, &why)) {
    reader.Error(path, "the rewrite cannot be: " + why, "\\1 is the first group in parentheses of match");
    return false;
  }
  return CheckTarget(reader, path, substitution);
}

}  // namespace plait::control::model
