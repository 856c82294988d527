#pragma once
// Compiled matchers of text, request headers and query parameters; immutable, shared by workers. Used by routes, RBAC,
// CORS and fault injection. Mirrors envoy.type.matcher.v3.StringMatcher and envoy.config.route.v3.HeaderMatcher.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/http/message.h"
#include "core/xds/matcher.h"

namespace re2 {
class RE2;
}

namespace plait::proxy::match {

// A pattern that is ready to run. Errors name the pattern. Programs are bounded as Envoy's default (max program size).
Outcome<std::shared_ptr<const re2::RE2>> CompileRegex(const std::string& pattern);
bool FullMatch(const re2::RE2& regex, std::string_view text);
// Replaces every match by the substitution (\0..\9), as Envoy's regex rewrite; true when there was one.
bool ReplaceAll(const re2::RE2& regex, const std::string& substitution, std::string& text);
Outcome<> CheckSubstitution(const re2::RE2& regex, const std::string& substitution);

class StringMatch {
 public:
  static Outcome<StringMatch> Compile(const xds::StringMatcher& matcher);
  bool Matches(std::string_view text) const;
  std::string Describe() const;  // for people: "a*" is a prefix

 private:
  xds::StringMatcher::Kind kind_ = xds::StringMatcher::Kind::kExact;
  bool ignore_case_ = false;
  std::string value_;  // lower case when case is ignored
  std::shared_ptr<const re2::RE2> regex_;
};

// The value of a header in one piece: repeated fields joined with ",", pseudo fields (":path", ":authority",
// ":method", ":scheme") and "host" from the head. `scratch` holds the text only when fields had to be joined.
std::optional<std::string_view> HeaderValue(const http::RequestHead& head, std::string_view name, std::string& scratch);

// Repeated fields are looked at one by one, as Envoy does: one that matches is enough (inverted: none may). Joined, a
// second line could hide the first from a rule that denies it.
class HeaderMatch {
 public:
  static Outcome<HeaderMatch> Compile(const xds::HeaderMatcher& matcher);
  bool Matches(const http::RequestHead& head) const;
  // Against fields alone (retriable response headers).
  bool Matches(const http::Headers& headers) const;
  const std::string& name() const noexcept { return name_; }  // lower case
  std::string Describe() const;                               // of the value, for people: "a*", "present"

 private:
  bool MatchesText(std::string_view text) const;
  bool Decide(bool there, bool matches) const;
  std::string name_;
  std::string http::RequestHead::* pseudo_ = nullptr;  // where a pseudo field (or Host) stands; null: in the headers
  std::variant<xds::PresentMatcher, StringMatch, xds::Int64Range> rule_;
  bool invert_ = false;
  bool missing_is_empty_ = false;
};

class QueryMatch {
 public:
  static Outcome<QueryMatch> Compile(const xds::QueryParameterMatcher& matcher);
  // `query` without '?'. Only the first parameter of the name counts, percent-decoded, as in Envoy.
  bool Matches(std::string_view query) const;

 private:
  std::string name_;
  std::variant<xds::PresentMatcher, StringMatch> rule_;
};
// The first parameter of that name, raw; nullopt when absent.
std::optional<std::string_view> QueryParameter(std::string_view query, std::string_view name) noexcept;

template <class Match, class Source>
Outcome<std::vector<Match>> CompileAll(const std::vector<Source>& sources) {
  std::vector<Match> all;
  all.reserve(sources.size());
  for (const Source& source : sources) {
    Outcome<Match> one = Match::Compile(source);
    if (!one) return std::unexpected(one.error());
    all.push_back(*std::move(one));
  }
  return all;
}

}  // namespace plait::proxy::match
