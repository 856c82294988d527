#include "proxy/match/string_match.h"

#include <re2/re2.h>

#include <algorithm>

#include "core/base/encoding.h"
#include "core/base/strings.h"

namespace plait::proxy::match {
namespace {

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

bool ContainsIgnoreCase(std::string_view text, std::string_view lower) {
  const auto at =
      std::search(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) { return ToLower(a) == b; });
  return lower.empty() || at != text.end();
}

}  // namespace

Outcome<std::shared_ptr<const re2::RE2>> CompileRegex(const std::string& pattern) {
  re2::RE2::Options options(re2::RE2::Quiet);
  auto regex = std::make_shared<re2::RE2>(pattern, options);
  if (!regex->ok()) {
    return Explain(Errc::kInvalidInput, "regex '" + pattern + "': " + regex->error(), "write it in RE2 syntax");
  }
  return regex;
}

bool FullMatch(const re2::RE2& regex, std::string_view text) { return re2::RE2::FullMatch(Piece(text), regex); }

bool ReplaceAll(const re2::RE2& regex, const std::string& substitution, std::string& text) {
  return re2::RE2::GlobalReplace(&text, regex, substitution) > 0;
}

Outcome<> CheckSubstitution(const re2::RE2& regex, const std::string& substitution) {
  std::string why;
  if (regex.CheckRewriteString(substitution, &why)) return {};
  return Explain(Errc::kInvalidInput, "substitution '" + substitution + "': " + why);
}

Outcome<StringMatch> StringMatch::Compile(const xds::StringMatcher& matcher) {
  StringMatch match;
  match.kind_ = matcher.kind;
  match.ignore_case_ = matcher.ignore_case;
  match.value_ = matcher.ignore_case ? ToLower(matcher.value) : matcher.value;
  if (matcher.kind == xds::StringMatcher::Kind::kRegex) {
    auto regex = CompileRegex(matcher.value);
    if (!regex) return std::unexpected(regex.error());
    match.regex_ = *std::move(regex);
  }
  return match;
}

bool StringMatch::Matches(std::string_view text) const {
  using Kind = xds::StringMatcher::Kind;
  switch (kind_) {
    case Kind::kExact: return ignore_case_ ? EqualsIgnoreCase(text, value_) : text == value_;
    case Kind::kPrefix: return ignore_case_ ? StartsWithIgnoreCase(text, value_) : text.starts_with(value_);
    case Kind::kSuffix:
      if (text.size() < value_.size()) return false;
      return ignore_case_ ? EqualsIgnoreCase(text.substr(text.size() - value_.size()), value_) : text.ends_with(value_);
    case Kind::kContains:
      return ignore_case_ ? ContainsIgnoreCase(text, value_) : text.find(value_) != std::string_view::npos;
    case Kind::kRegex: return FullMatch(*regex_, text);
  }
  return false;
}

namespace {
std::string http::RequestHead::* PseudoField(std::string_view name) noexcept {
  if (name == ":method") return &http::RequestHead::method;
  if (name == ":path") return &http::RequestHead::path;
  if (name == ":authority" || name == "host") return &http::RequestHead::authority;
  if (name == ":scheme") return &http::RequestHead::scheme;
  return nullptr;
}
}  // namespace

std::optional<std::string_view> HeaderValue(const http::RequestHead& head, std::string_view name,
                                            std::string& scratch) {
  if (const auto pseudo = PseudoField(name)) {
    if ((head.*pseudo).empty()) return std::nullopt;
    return head.*pseudo;
  }
  std::optional<std::string_view> found;
  bool joined = false;
  if (const auto first = head.headers.Get(name)) {
    found = first;
  } else {
    return std::nullopt;
  }
  for (const http::HeaderView field : head.headers) {
    if (field.value.data() == found->data() && !joined) continue;
    if (!EqualsIgnoreCase(field.name, name)) continue;
    if (!joined) scratch = *found;
    joined = true;
    scratch.append(",").append(field.value);
  }
  return joined ? std::optional<std::string_view>(scratch) : found;
}

Outcome<HeaderMatch> HeaderMatch::Compile(const xds::HeaderMatcher& matcher) {
  HeaderMatch match;
  match.name_ = ToLower(matcher.name);
  match.pseudo_ = PseudoField(match.name_);
  match.invert_ = matcher.invert;
  match.missing_is_empty_ = matcher.treat_missing_as_empty;
  if (matcher.name.empty()) return Explain(Errc::kInvalidInput, "header matcher without a name");
  if (const auto* text = std::get_if<xds::StringMatcher>(&matcher.value)) {
    auto compiled = StringMatch::Compile(*text);
    if (!compiled) return std::unexpected(compiled.error());
    match.rule_ = *std::move(compiled);
  } else if (const auto* range = std::get_if<xds::Int64Range>(&matcher.value)) {
    match.rule_ = *range;
  } else {
    match.rule_ = std::get<xds::PresentMatcher>(matcher.value);
  }
  return match;
}

// Of a rule that looks at values.
bool HeaderMatch::MatchesText(std::string_view text) const {
  if (const auto* string = std::get_if<StringMatch>(&rule_)) return string->Matches(text);
  const auto* range = std::get_if<xds::Int64Range>(&rule_);
  if (range == nullptr) return false;
  if (text.starts_with('+')) text.remove_prefix(1);
  const std::optional<std::int64_t> number = ParseInt(text);
  return number && *number >= range->start && *number < range->end;
}

// `there`: the request has the field; `matches`: one of its values does.
bool HeaderMatch::Decide(bool there, bool matches) const {
  if (const auto* present = std::get_if<xds::PresentMatcher>(&rule_)) {
    return ((there || missing_is_empty_) == present->present) != invert_;
  }
  if (!there && !missing_is_empty_) return false;  // also when inverted, as in Envoy
  return (there ? matches : MatchesText("")) != invert_;
}

bool HeaderMatch::Matches(const http::RequestHead& head) const {
  if (pseudo_ == nullptr) return Matches(head.headers);
  const std::string& value = head.*pseudo_;
  return Decide(!value.empty(), MatchesText(value));
}

bool HeaderMatch::Matches(const http::Headers& headers) const {
  bool there = false;
  for (const http::HeaderView field : headers) {
    if (field.name.size() != name_.size() || !EqualsIgnoreCase(field.name, name_)) continue;
    if (MatchesText(field.value)) return Decide(true, true);
    there = true;
  }
  return Decide(there, false);
}

Outcome<QueryMatch> QueryMatch::Compile(const xds::QueryParameterMatcher& matcher) {
  QueryMatch match;
  match.name_ = matcher.name;
  if (const auto* text = std::get_if<xds::StringMatcher>(&matcher.value)) {
    auto compiled = StringMatch::Compile(*text);
    if (!compiled) return std::unexpected(compiled.error());
    match.rule_ = *std::move(compiled);
  } else {
    match.rule_ = std::get<xds::PresentMatcher>(matcher.value);
  }
  return match;
}

std::optional<std::string_view> QueryParameter(std::string_view query, std::string_view name) noexcept {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) return pair.substr(std::min(equals + 1, pair.size()));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

bool QueryMatch::Matches(std::string_view query) const {
  const std::optional<std::string_view> raw = QueryParameter(query, name_);
  if (const auto* present = std::get_if<xds::PresentMatcher>(&rule_)) return raw.has_value() == present->present;
  if (!raw) return false;
  return std::get<StringMatch>(rule_).Matches(*raw);  // as it is on the wire: escapes are not undone
}

}  // namespace plait::proxy::match
