#include "proxy/worker/certificates_page.h"

#include <algorithm>

#include "core/tls/certificate.h"
#include "core/xds/data_source.h"
#include "proxy/cluster/cluster.h"

namespace plait::proxy::worker {
namespace {

admin::CertificateInfo Describe(const tls::Certificate& certificate, const std::string& path) {
  return {.path = path,
          .serial_number = certificate.serial(),
          .uri_sans = certificate.uri_sans(),
          .dns_sans = certificate.dns_sans(),
          .valid_from = certificate.not_before(),
          .expires = certificate.not_after()};
}

// `name` is shown where the source is no file.
std::vector<admin::CertificateInfo> DescribeAll(const xds::DataSource& source, const std::string& name) {
  std::vector<admin::CertificateInfo> all;
  const auto pem = ReadSource(source);
  if (!pem || pem->empty()) return all;
  const auto bundle = tls::ReadBundle(*pem);
  if (!bundle) return all;
  const std::string& path = source.kind == xds::DataSource::Kind::kFile ? source.value : name;
  for (const tls::Certificate& certificate : *bundle) all.push_back(Describe(certificate, path));
  return all;
}

// The same files stand in many chains and clusters: each entry is shown once.
void Add(admin::CertificateEntry entry, std::vector<admin::CertificateEntry>& out) {
  if (entry.chain.empty() && entry.ca.empty()) return;
  if (std::find(out.begin(), out.end(), entry) == out.end()) out.push_back(std::move(entry));
}

// Only what stands in place: the rest is among the secrets.
void AddInline(const xds::CommonTlsContext& tls, std::vector<admin::CertificateEntry>& out) {
  admin::CertificateEntry entry;
  for (const xds::TlsCertificate& certificate : tls.certificates) {
    std::vector<admin::CertificateInfo> chain = DescribeAll(certificate.certificate_chain, "<inline>");
    std::ranges::move(chain, std::back_inserter(entry.chain));
  }
  if (tls.validation) entry.ca = DescribeAll(tls.validation->trusted_ca, "<inline>");
  Add(std::move(entry), out);
}

}  // namespace

std::vector<admin::CertificateEntry> CertificatesOf(const ConfigStore& store, const Secrets& secrets) {
  std::vector<admin::CertificateEntry> all;
  for (const auto& secret : secrets.All()) {
    admin::CertificateEntry entry;
    if (const auto* certificate = std::get_if<xds::TlsCertificate>(&secret->value)) {
      entry.chain = DescribeAll(certificate->certificate_chain, secret->name);
    } else {
      entry.ca = DescribeAll(std::get<xds::ValidationContext>(secret->value).trusted_ca, secret->name);
    }
    Add(std::move(entry), all);
  }
  for (const auto& [name, listener] : store.accepted().listeners) {
    for (const xds::FilterChain& chain : listener.value->filter_chains)
      if (chain.tls) AddInline(chain.tls->common, all);
    const auto& other = listener.value->default_filter_chain;
    if (other && other->tls) AddInline(other->tls->common, all);
  }
  for (const auto& [name, cluster] : store.accepted().clusters) {
    for (const xds::UpstreamTlsContext* tls : cluster::TlsOf(*cluster.value)) AddInline(tls->common, all);
  }
  return all;
}

}  // namespace plait::proxy::worker
