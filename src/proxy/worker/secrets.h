#pragma once
// The process's secrets by name, and the TLS contexts made of them. Any thread; a mutex, taken once a TLS connection.
// A changed secret makes new contexts for new connections; living ones keep theirs, but those whose peers the new ones
// would refuse are closed (Worker::FollowSecrets; semantics.md 5).
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/tls/context.h"
#include "core/xds/cluster.h"
#include "core/xds/tls_context.h"
#include "proxy/session/context.h"

namespace plait::proxy::worker {

using ContextPtr = std::shared_ptr<const tls::Context>;

class Secrets final : public session::DownstreamTls {
 public:
  void Put(std::shared_ptr<const xds::Secret> secret);
  void Remove(const std::string& name);
  // `observer` hears of each Put and Remove, on the thread that did it. Set it before the first.
  void SetObserver(std::function<void()> observer) { observer_ = std::move(observer); }
  bool Has(const std::string& name) const;
  std::shared_ptr<const xds::Secret> Get(const std::string& name) const;  // null: there is none
  bool HasAll(const std::vector<std::string>& names) const;
  // Whether a context towards upstream hosts was ever made of it, or would have been.
  bool IsForUpstream(const std::string& name) const;
  std::vector<std::shared_ptr<const xds::Secret>> All() const;
  // Changes with every Put and Remove.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

  // kUnavailable while a secret it needs is missing; other errors name what is wrong with it.
  Outcome<ContextPtr> Server(const xds::DownstreamTlsContext& config) override;
  // `exact_identity`: the endpoint's own identity is verified, so the list of names is not (design.md).
  Outcome<ContextPtr> Client(const xds::UpstreamTlsContext& config, bool exact_identity);

 private:
  using Config = std::variant<xds::DownstreamTlsContext, xds::UpstreamTlsContext>;
  struct Made {
    Config config;
    std::vector<std::string> secrets;  // names that it was made of
    ContextPtr context;
  };
  Outcome<ContextPtr> Find(const Config& config);
  Outcome<ContextPtr> Make(const Config& config) const;
  Outcome<> FillCommon(const xds::CommonTlsContext& common, tls::ContextOptions& options) const;
  Outcome<> FillValidation(const xds::CommonTlsContext& common, tls::ContextOptions& options) const;
  Outcome<std::shared_ptr<const xds::Secret>> Need(const xds::SecretRef& ref) const;
  void Forget(const std::string& name);

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const xds::Secret>, std::less<>> by_name_;
  std::vector<Made> made_;                           // few: one for each distinct configuration
  std::set<std::string, std::less<>> for_upstream_;  // names
  std::atomic<std::uint64_t> version_{0};
  std::function<void()> observer_;
};

// The SDS names of Istio's sidecars: the proxy's own certificate, and the roots of its mesh.
inline constexpr const char* kOwnCertificate = "default";
inline constexpr const char* kRoots = "ROOTCA";
inline bool IsOwnSecret(std::string_view name) noexcept { return name == kOwnCertificate || name == kRoots; }

// Names of the secrets that a context needs, or all contexts of a cluster.
std::vector<std::string> SecretsOf(const xds::CommonTlsContext& common);
std::vector<std::string> SecretsOf(const xds::Cluster& cluster);

}  // namespace plait::proxy::worker
