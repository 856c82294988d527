#include "local/certificate_ttl.h"

#include "core/yaml/parse.h"

namespace plait::local {
namespace {
constexpr const char* kAnnotation = "proxy.istio.io/config";
}

Outcome<Duration> CertificateTtl(const PodSpec& pod) {
  const std::string* text = pod.Annotation(kAnnotation);
  if (!text) return kCertificateTtl;
  const auto documents = yaml::ParseAll(*text, std::string("annotation ") + kAnnotation);
  if (!documents) return std::unexpected(documents.error());
  const yaml::Node* ttl = nullptr;
  for (const yaml::Node& config : *documents)
    for (const yaml::Entry& entry : config.entries)
      if (yaml::SameFieldName(entry.key, "proxyMetadata")) ttl = entry.value.Find("SECRET_TTL");
  if (!ttl) return kCertificateTtl;
  const std::optional<Duration> asked = ttl->is_scalar() ? ParseDuration(ttl->text) : std::nullopt;
  if (asked && *asked >= kShortestCertificateTtl) return *asked;
  static_assert(kCertificateTtl == std::chrono::hours(24));  // "a day"
  return Explain(Errc::kInvalidInput,
                 std::string("annotation ") + kAnnotation + ": SECRET_TTL is " + yaml::Describe(*ttl) +
                     ", not a duration of " + FormatDuration(kShortestCertificateTtl) + " or more",
                 "write e.g. 12h, or leave it out for a day");
}

}  // namespace plait::local
