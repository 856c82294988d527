#include "core/identity/workload_certificate.h"

#include <algorithm>

#include "core/base/log.h"

namespace plait::identity {
namespace {
log::Component kLog("identity");
constexpr Duration kSoonest =
    std::chrono::seconds(1);  // between two renewals, however short the life of a certificate is
}  // namespace

WorkloadCertificate::WorkloadCertificate(io::Loop& loop, CaClient& ca, WorkloadCertificateOptions options)
    : loop_(loop), ca_(ca), options_(std::move(options)), backoff_(options_.first_backoff), timer_(loop, [this] {
        Request();
      }) {}

void WorkloadCertificate::Start() {
  if (!asking_ && !current_) Request();
}

void WorkloadCertificate::Subscribe(OnSecret subscriber) {
  if (current_) subscriber(current_);
  subscribers_.push_back(std::move(subscriber));
}

void WorkloadCertificate::RenewNow(std::move_only_function<void(Outcome<>)> done) {
  if (done) waiting_.push_back(std::move(done));
  if (!asking_) Request();
}

void WorkloadCertificate::Request() {
  timer_.Cancel();
  asking_ = true;
  const tls::PrivateKey key = tls::PrivateKey::Generate(options_.key_type);
  request_ = ca_.Sign(tls::MakeCsr(key, options_.spiffe_id), options_.ttl,
                      [this, key](Outcome<CaClient::Signed> answer) { Answered(key, std::move(answer)); });
}

Outcome<std::shared_ptr<const WorkloadSecret>> WorkloadCertificate::Accept(const tls::PrivateKey& key,
                                                                           const CaClient::Signed& answer) const {
  const auto chain = tls::ReadBundle(answer.chain_pem);
  if (!chain) return std::unexpected(chain.error());
  const auto roots = tls::ReadBundle(answer.bundle_pem);
  if (!roots) return std::unexpected(roots.error());
  const tls::Certificate& leaf = chain->front();
  if (!key.Matches(leaf)) return Explain(Errc::kInvalidInput, "the certificate is for another key");
  const auto uris = leaf.uri_sans();
  if (uris.size() != 1 || (!options_.spiffe_id.empty() && uris.front() != options_.spiffe_id))
    return Explain(Errc::kDenied,
                   "the certificate is for " + (uris.empty() ? std::string("nobody") : uris.front()) + ", not for " +
                       options_.spiffe_id,
                   "namespace and service account of the token must be those of the workload");
  auto secret = std::make_shared<WorkloadSecret>();
  secret->identity = {.chain_pem = answer.chain_pem, .key_pem = key.ToPem()};
  secret->bundle_pem = answer.bundle_pem;
  secret->spiffe_id = uris.front();
  secret->not_before = leaf.not_before();
  secret->not_after = leaf.not_after();
  for (const tls::Certificate& issuer : *chain) secret->not_after = std::min(secret->not_after, issuer.not_after());
  return secret;
}

void WorkloadCertificate::Answered(const tls::PrivateKey& key, Outcome<CaClient::Signed> answer) {
  asking_ = false;
  auto secret = answer ? Accept(key, *answer) : std::unexpected(answer.error());
  auto waiting = std::move(waiting_);
  waiting_.clear();
  if (!secret) {
    problem_ = secret.error().ToString();
    // Who asks by a token alone is told its name by the first one.
    const std::string& name = current_ ? current_->spiffe_id : options_.spiffe_id;
    kLog.Warn("cannot get a certificate" + (name.empty() ? "" : " for " + name) + ": " + problem_);
    ScheduleRetry();
    for (auto& done : waiting) done(std::unexpected(secret.error()));
    return;
  }
  problem_.clear();
  backoff_ = options_.first_backoff;
  current_ = *secret;
  kLog.Info("certificate of " + current_->spiffe_id + " until " + FormatRfc3339(current_->not_after));
  ScheduleRenewal();
  for (const OnSecret& subscriber : subscribers_) subscriber(current_);
  for (auto& done : waiting) done({});
}

void WorkloadCertificate::ScheduleRenewal() {
  // 80 % of its life, ± 1 % of it. From now on, when it was just made: its notBefore lies minutes in the past, for
  // clocks that differ, and would be most of a short life.
  const Duration life = std::max(Duration(current_->not_after - loop_.clock().Wall()), Duration(0));
  const Duration jitter =
      Duration(static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(life.count()) / 50 + 1))) -
      life / 100;
  timer_.Start(std::max(life * 4 / 5 + jitter, kSoonest));
}

void WorkloadCertificate::ScheduleRetry() {
  // Full jitter: anything up to the back-off, which doubles.
  timer_.Start(Duration(static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(backoff_.count())) + 1)) +
               options_.first_backoff / 4);
  backoff_ = std::min(backoff_ * 2, options_.max_backoff);
}

}  // namespace plait::identity
