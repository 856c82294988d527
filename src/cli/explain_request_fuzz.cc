// The words of `plait explain` in lines: TO, METHOD, URL, --sni NAME, then headers. Checked: what is understood can be
// asked over HTTP as it is, and a refusal says what to write.
#include <algorithm>
#include <cstdint>
#include <string>

#include "cli/explain_request.h"
#include "core/base/check.h"
#include "core/base/strings.h"

namespace {
bool IsQuery(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return plait::IsAlpha(c) || plait::IsDigit(c) || std::string_view("-._~%=&").find(c) != std::string_view::npos;
  });
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plait;  // NOLINT: a program of its own
  const std::vector<std::string_view> lines = Split({reinterpret_cast<const char*>(data), size}, '\n');
  const auto line = [&](std::size_t i) { return i < lines.size() ? std::string(lines[i]) : std::string(); };
  cli::ExplainWords words;
  words.to = line(0);
  words.method = line(1);
  words.url = line(2);
  constexpr std::string_view kSni = "--sni ";
  const bool sni = line(3).starts_with(kSni);
  if (sni) words.sni = line(3).substr(kSni.size());
  for (std::size_t i = sni ? 4 : 3; i < lines.size(); ++i) words.headers.emplace_back(lines[i]);
  const auto request = cli::ReadExplainRequest(words);
  if (!request) {
    PLAIT_CHECK(!request.error().message.empty() && !request.error().hint.empty());
    return 0;
  }
  PLAIT_CHECK(!request->to.empty() && !request->method.empty() && request->path.starts_with('/'));
  PLAIT_CHECK(std::none_of(request->path.begin(), request->path.end(), [](char c) { return c == ' ' || c == '#'; }));
  PLAIT_CHECK(IsQuery(cli::OutboundQuery(*request)) && IsQuery(cli::PlaintextQuery(*request, 80, "10.0.0.1")));
  return 0;
}
