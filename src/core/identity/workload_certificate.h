#pragma once
// Keeps the certificate of this process's workload fresh: a key and a request at the start, renewal at 80 % of its life
// (with jitter, so that a fleet does not ask at once), back-off after a failure. The key never leaves the process.
// One loop thread.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/identity/spiffe_id.h"
#include "core/io/wall_timer.h"
#include "core/tls/context.h"

namespace plait::identity {

// A certificate with its key and the roots it was issued under; replaced as a whole.
struct WorkloadSecret {
  tls::Identity identity;  // chain and key
  std::string bundle_pem;  // trusted roots
  std::string spiffe_id;
  WallTime not_before{}, not_after{};
};

// Who signs. The real one is GrpcCaClient; tests use a fake.
class CaClient {
 public:
  struct Signed {
    std::string chain_pem;   // leaf first
    std::string bundle_pem;  // roots, the last of Istio's cert_chain
  };
  virtual ~CaClient() = default;
  // `done` runs once, in a later round, unless the handle was dropped.
  [[nodiscard]] virtual Pending Sign(std::string csr_pem, Duration ttl,
                                     std::move_only_function<void(Outcome<Signed>)> done) = 0;
};

struct WorkloadCertificateOptions {
  std::string spiffe_id;  // asked for; what is issued follows from authentication alone
  Duration ttl = std::chrono::hours(24);
  tls::KeyType key_type = tls::KeyType::kP256;
  Duration first_backoff = std::chrono::milliseconds(200);
  Duration max_backoff = std::chrono::seconds(10);
};

class WorkloadCertificate {
 public:
  using OnSecret = std::function<void(const std::shared_ptr<const WorkloadSecret>&)>;
  WorkloadCertificate(io::Loop& loop, CaClient& ca, WorkloadCertificateOptions options);

  // Starts at once; subscribers hear each new secret, and the present one when there is one already.
  void Start();
  void Subscribe(OnSecret subscriber);
  // Asks for a new certificate now; `done` hears the result of this request (also when one was under way).
  void RenewNow(std::move_only_function<void(Outcome<>)> done = {});
  std::shared_ptr<const WorkloadSecret> current() const noexcept { return current_; }
  // The last failure since the last success, for status pages; empty: none.
  const std::string& problem() const noexcept { return problem_; }

 private:
  void Request();
  void Answered(const tls::PrivateKey& key, Outcome<CaClient::Signed> answer);
  Outcome<std::shared_ptr<const WorkloadSecret>> Accept(const tls::PrivateKey& key,
                                                        const CaClient::Signed& answer) const;
  void ScheduleRenewal();
  void ScheduleRetry();

  io::Loop& loop_;
  CaClient& ca_;
  const WorkloadCertificateOptions options_;
  Random random_;
  Duration backoff_;
  bool asking_ = false;
  std::shared_ptr<const WorkloadSecret> current_;
  std::string problem_;
  std::vector<OnSecret> subscribers_;
  std::vector<std::move_only_function<void(Outcome<>)>> waiting_;
  io::WallTimer timer_;
  Pending request_;  // last: its completion never meets a dead object
};

}  // namespace plait::identity
