#include "cli/access_log_line.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/json_access.h"
#include "core/base/log.h"
#include "core/base/strings.h"
#include "core/io/address.h"

namespace plait::cli {
namespace {

constexpr std::string_view kMatched = "rbac_access_denied_matched_policy[";

bool IsAddress(std::string_view word) { return io::SocketAddress::Parse(word).has_value(); }

std::string NotDash(std::string text) { return text == "-" ? std::string() : text; }

std::vector<std::string> FlagsOf(std::string_view text) {
  std::vector<std::string> flags;
  for (const std::string_view flag : Split(text, ','))
    if (!flag.empty() && flag != "-") flags.emplace_back(flag);
  return flags;
}

// Words that are separated by single blanks; quotes hold blanks together, brackets do not.
std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    std::size_t end = text.find(' ');
    if (text.front() == '"') {
      const std::size_t quote = text.find('"', 1);
      end = quote == std::string_view::npos ? quote : text.find(' ', quote);
    }
    words.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return words;
}

std::string Unquoted(std::string_view word) {
  if (word.size() >= 2 && word.front() == '"' && word.back() == '"') word = word.substr(1, word.size() - 2);
  return NotDash(std::string(word));
}

// [time] "METHOD PATH PROTOCOL" status flags details termination "failure" ... "authority" "host" cluster local local
// remote sni route. What a client chose freely (user agent) stands in the middle: both ends are read from outside.
std::optional<AccessLogLine> ReadText(std::string_view line) {
  constexpr std::size_t kFront = 6;
  constexpr std::size_t kBack = 8;
  constexpr std::size_t kWords = 21;  // when no client made more of them
  const std::size_t close = line.find("] \"");
  if (!line.starts_with('[') || close == std::string_view::npos) return std::nullopt;
  const std::vector<std::string_view> words = Words(line.substr(close + 2));
  if (words.size() < kFront - 1 + kBack) return std::nullopt;
  AccessLogLine out;
  const std::string request = Unquoted(words[0]);
  const std::vector<std::string_view> parts = Split(request, ' ');
  if (parts.size() >= 2) {
    out.method = NotDash(std::string(parts[0]));
    out.path = NotDash(std::string(parts[1]));
  }
  if (!ParseUint(words[1])) return std::nullopt;
  out.status = std::string(words[1]);
  out.flags = FlagsOf(words[2]);
  out.details = NotDash(std::string(words[3]));
  out.termination = NotDash(std::string(words[4]));
  const auto from_end = [&](std::size_t i) { return words[words.size() - i]; };
  out.authority = Unquoted(from_end(8));
  out.cluster = NotDash(std::string(from_end(6)));
  out.downstream_local = NotDash(std::string(from_end(4)));
  out.downstream_remote = NotDash(std::string(from_end(3)));
  out.server_name = NotDash(std::string(from_end(2)));
  // Fields that somebody added would be taken for others.
  if (!IsAddress(from_end(4)) || !IsAddress(from_end(3)) || IsAddress(from_end(2))) return std::nullopt;
  if (words.size() != kWords) return out;
  out.forwarded_for = Unquoted(words[10]);
  out.user_agent = Unquoted(words[11]);
  return out;
}

// A line of the program itself: "TIME<tab>LEVEL<tab>COMPONENT<tab>...".
bool IsOfTheProgram(std::string_view line) {
  const std::vector<std::string_view> parts = Split(line.substr(0, 64), '\t');
  return parts.size() > 2 && log::IsLevel(parts[1]);
}

// "rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]", wherever it stands.
std::string_view FindDenial(std::string_view line) {
  const std::size_t from = line.find(kMatched);
  if (from == std::string_view::npos) return {};
  int depth = 0;
  for (std::size_t at = from + kMatched.size() - 1; at < line.size(); ++at) {
    depth += line[at] == '[' ? 1 : line[at] == ']' ? -1 : 0;
    if (depth == 0) return line.substr(from, at + 1 - from);
  }
  return {};
}

std::optional<AccessLogLine> LookInto(std::string_view line) {
  if (IsOfTheProgram(line)) return std::nullopt;
  AccessLogLine out{.whole = false, .details = std::string(FindDenial(line))};
  const auto known = ResponseFlagNames();
  std::size_t from = 0;
  for (std::size_t at = 0; at <= line.size(); ++at) {
    if (at < line.size() && (IsAlpha(line[at]) || IsDigit(line[at]) || line[at] == '_')) continue;
    const std::string_view word = line.substr(from, at - from);
    if (std::ranges::find(known, word) != known.end()) out.flags.emplace_back(word);
    from = at + 1;
  }
  if (out.details.empty() && out.flags.empty()) return std::nullopt;
  return out;
}

std::optional<AccessLogLine> ReadJson(std::string_view line) {
  const Json object = ParseJson(line);
  if (At(object, "response_code").is_null() || At(object, "response_flags").is_null()) return std::nullopt;
  const auto text = [&](const char* key) { return NotDash(Text(object, {key})); };
  return AccessLogLine{
      .whole = IsAddress(text("downstream_local_address")) && IsAddress(text("downstream_remote_address")),
      .method = text("method"),
      .path = text("path"),
      .status = text("response_code"),
      .flags = FlagsOf(text("response_flags")),
      .details = text("response_code_details"),
      .termination = text("connection_termination_details"),
      .authority = text("authority"),
      .cluster = text("upstream_cluster"),
      .downstream_local = text("downstream_local_address"),
      .downstream_remote = text("downstream_remote_address"),
      .server_name = text("requested_server_name"),
      .user_agent = text("user_agent"),
      .forwarded_for = object.contains("x_forwarded_for") ? std::optional(text("x_forwarded_for")) : std::nullopt};
}

}  // namespace

std::optional<std::string> AccessLogLine::DeniedBy() const {
  constexpr std::string_view kStrictBy = "{invalid_policy[";
  for (const std::string& text : {details, termination}) {
    if (const std::size_t at = text.find(kMatched); at != std::string::npos && text.ends_with(']')) {
      const std::size_t from = at + kMatched.size();
      return text.substr(from, text.size() - 1 - from);
    }
    // What refuses at a STRICT port ends with the policy that made it so by being invalid.
    if (const std::size_t at = text.rfind(kStrictBy); at != std::string::npos && text.ends_with("]}"))
      return text.substr(at + 1, text.size() - 2 - at);
  }
  return std::nullopt;
}

bool AccessLogLine::HasFlag(const std::vector<std::string>& any_of) const {
  return std::any_of(flags.begin(), flags.end(), [&](const std::string& flag) {
    return std::find(any_of.begin(), any_of.end(), flag) != any_of.end();
  });
}

std::span<const std::string_view> ResponseFlagNames() {
  static constexpr std::string_view kNames[] = {"DC", "DF",  "DI",   "DO", "DPE",   "DR", "DT",   "FI",   "IH",  "LH",
                                                "LR", "NC",  "NFCF", "NR", "OM",    "RL", "RFCF", "RLSE", "SI",  "UAEX",
                                                "UC", "UDO", "UF",   "UH", "UMSDR", "UO", "UPE",  "UR",   "URX", "UT"};
  return kNames;
}

std::optional<AccessLogLine> ReadAccessLogLine(std::string_view line) {
  line = Trim(line);
  std::optional<AccessLogLine> read = line.starts_with('{') ? ReadJson(line) : ReadText(line);
  return read ? read : LookInto(line);
}

}  // namespace plait::cli
