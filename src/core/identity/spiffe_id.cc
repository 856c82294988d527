#include "core/identity/spiffe_id.h"

#include <algorithm>

#include "core/base/strings.h"

namespace plait::identity {
namespace {
constexpr std::string_view kScheme = "spiffe://";
constexpr std::size_t kMaxLength = 2048;  // SPIFFE-ID 2.3
constexpr std::size_t kMaxTrustDomain = 255;

bool IsDomain(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTrustDomain && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '.' || c == '-' || c == '_';
  });
}

bool IsSegment(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlpha(c) || IsDigit(c) || c == '.' || c == '-' || c == '_';
  });
}
}  // namespace

std::string SpiffeId::ToString() const {
  return std::string(kScheme) + trust_domain + "/ns/" + name_space + "/sa/" + service_account;
}

Result<SpiffeId> SpiffeId::Parse(std::string_view uri) {
  if (uri.size() > kMaxLength || !uri.starts_with(kScheme))
    return Fail(Errc::kInvalidInput, "SPIFFE ID: scheme or length");
  const auto parts = Split(uri.substr(kScheme.size()), '/');
  if (parts.size() != 5 || parts[1] != "ns" || parts[3] != "sa")
    return Fail(Errc::kInvalidInput, "SPIFFE ID: path is not /ns/<namespace>/sa/<account>");
  if (!IsDomain(parts[0]) || !IsSegment(parts[2]) || !IsSegment(parts[4]))
    return Fail(Errc::kInvalidInput, "SPIFFE ID: character");
  return SpiffeId{.trust_domain = std::string(parts[0]),
                  .name_space = std::string(parts[2]),
                  .service_account = std::string(parts[4])};
}

}  // namespace plait::identity
