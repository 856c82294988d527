#include "proxy/worker/control_link.h"

#include <utility>

#include "core/base/log.h"
#include "core/base/strings.h"
#include "core/io/bounded_file.h"
#include "core/tls/stream.h"
#include "core/xds/data_source.h"
#include "core/xds/type_url.h"
#include "proxy/lb/hash.h"
#include "proxy/upstream/transport.h"
#include "proxy/worker/counted_stream.h"
#include "proxy/worker/static_resources.h"

namespace plait::proxy::worker {
namespace {

namespace url = xds::type_url;
log::Component kLog("control");
constexpr std::string_view kPlaitd = "plaitd";  // control_plane.identifier
constexpr std::size_t kMaxToken = 64 * 1024;

std::shared_ptr<const xds::Secret> OwnCertificate(const identity::WorkloadSecret& from) {
  using Kind = xds::DataSource::Kind;
  auto secret = std::make_shared<xds::Secret>();
  secret->name = kOwnCertificate;
  secret->value = xds::TlsCertificate{.certificate_chain = {Kind::kInline, from.identity.chain_pem},
                                      .private_key = {Kind::kInline, from.identity.key_pem},
                                      .password = {}};
  return secret;
}

std::shared_ptr<const xds::Secret> Roots(const identity::WorkloadSecret& from) {
  auto secret = std::make_shared<xds::Secret>();
  secret->name = kRoots;
  xds::ValidationContext validation;
  validation.trusted_ca = {xds::DataSource::Kind::kInline, from.bundle_pem};
  secret->value = std::move(validation);
  return secret;
}

tls::KeyType KeyTypeOf(const xds::IdentityConfig& config) {
  return config.key_type == xds::IdentityConfig::KeyType::kRsa2048 ? tls::KeyType::kRsa2048 : tls::KeyType::kP256;
}

}  // namespace

// Decides what else to ask for once the control plane has shown who it is.
class ControlLink::FirstResponse final : public xds::Subscriber {
 public:
  explicit FirstResponse(ControlLink& link) : link_(link) {}
  std::vector<xds::Rejection> OnUpdate(const xds::Update& update) override {
    if (!std::exchange(seen_, true)) link_.ChooseSubscriptions(link_.client_->control_plane());
    auto rejections = link_.subscriber_.OnUpdate(update);
    link_.CountUpdate(update, !rejections.empty());
    if (update.type_url == url::kAddress && link_.on_index_) std::exchange(link_.on_index_, nullptr)();
    if (update.type_url == url::kCluster) link_.store_.NoteAllClusters();
    if (update.type_url == url::kSecret) link_.FollowRoots();
    return rejections;
  }

 private:
  ControlLink& link_;
  bool seen_ = false;
};

ControlLink::ControlLink(io::Loop& loop, const xds::Bootstrap& bootstrap, ConfigStore& store, Secrets& secrets)
    : loop_(loop),
      bootstrap_(bootstrap),
      store_(store),
      secrets_(secrets),
      gateway_(bootstrap.node.id.starts_with("router~")),
      subscriber_(loop, store),
      renewal_([this] { certificate_->RenewNow(); }),
      away_([this] { store_.SetControlPlaneAway(subscriber_.Answered(url::kAddress)); }) {
  using record::SubscriptionStats;
  if (bootstrap.dynamic.lds) lds_.emplace(store.registry(), SubscriptionStats::Of::kListeners);
  if (bootstrap.dynamic.cds) cds_.emplace(store.registry(), SubscriptionStats::Of::kClusters);
}

ControlLink::~ControlLink() { store_.SetSubscriptions({}); }

Outcome<> ControlLink::Start() {
  if (bootstrap_.identity) {
    if (auto done = StartIdentity(); !done) return done;
  }
  if (bootstrap_.dynamic.ads) {
    if (auto done = StartStream(); !done) return done;
  }
  return {};
}

Outcome<> ControlLink::StartIdentity() {
  const xds::IdentityConfig& config = *bootstrap_.identity;
  auto cluster = AuthorityCluster(bootstrap_);
  if (!cluster) return std::unexpected(cluster.error());
  ca_cluster_ = *cluster;
  ca_ = std::make_unique<identity::GrpcCaClient>(loop_, [this](Proof proof) { return ConnectCa(proof); });
  certificate_ = std::make_unique<identity::WorkloadCertificate>(
      loop_, *ca_,
      identity::WorkloadCertificateOptions{
          .spiffe_id = config.spiffe_id, .ttl = config.ttl, .key_type = KeyTypeOf(config)});
  certificate_->Subscribe([this](const auto& secret) { OnSecret(*secret); });
  certificate_->Start();
  return {};
}

Outcome<> ControlLink::StartStream() {
  auto cluster = ControlPlaneCluster(bootstrap_);
  if (!cluster) return std::unexpected(cluster.error());
  ads_cluster_ = *cluster;
  first_ = std::make_unique<FirstResponse>(*this);
  client_ = std::make_unique<xds::DeltaClient>(bootstrap_.node, *first_);
  const xds::GrpcTarget& target = *bootstrap_.dynamic.ads;
  stream_ = std::make_unique<xds::AdsStream>(
      loop_, *client_, [this] { return ConnectAds(); },
      xds::AdsStream::BackOff{.first = target.first_back_off, .longest = target.longest_back_off});
  stream_->OnChange([this](bool up) { OnStreamChange(up); });
  store_.SetSubscriptions({.subscribe =
                               [this](std::string_view type, const std::string& name) {
                                 // The own key never goes over the wire; nobody else can answer for it.
                                 if (type == url::kSecret && name == kOwnCertificate && certificate_) return;
                                 client_->Subscribe(type, name);
                                 stream_->Flush();
                               },
                           .unsubscribe =
                               [this](std::string_view type, const std::string& name) {
                                 client_->Unsubscribe(type, name);
                                 stream_->Flush();
                               }});
  if (bootstrap_.dynamic.lds) client_->SubscribeAll(url::kListener);
  if (!bootstrap_.dynamic.cds) {
    store_.SetClusterSource(ConfigStore::ClusterSource::kNone);
  } else if (gateway_ || !bootstrap_.dynamic.lds) {
    SubscribeToAllClusters();
  }
  // Beside an Envoy, which has its own stream for the rest.
  if (!bootstrap_.dynamic.lds && !bootstrap_.dynamic.cds) client_->Subscribe(url::kSecret, kRoots);
  stream_->Start();
  return {};
}

// A pod that is younger than the last index might be taken for a destination outside: so not at once, and not while
// the control plane is there but refuses us, or is not whom we trust (semantics.md 2: unreachable).
void ControlLink::OnStreamChange(bool up) {
  const io::Stream* transport = stream_->transport();
  const bool refused_in_tls = transport != nullptr && tls::HasRefused(BelowCounting(*transport));
  const bool other_way = refused_in_tls && ads_proof_ == Proof::kNewest && HasCertificate() && HasToken();
  ads_proof_ = other_way ? Proof::kToken : Proof::kNewest;
  const bool refused = stream_->refused() || refused_in_tls;
  if (up || refused) {
    away_.Cancel();
    store_.SetControlPlaneAway(false);
  } else if (!away_.armed()) {
    away_.Start(loop_.timers(), kAwayAfter);
  }
}

void ControlLink::SubscribeToAllClusters() {
  client_->SubscribeAll(url::kCluster);
  store_.SetClusterSource(ConfigStore::ClusterSource::kAll);
}

void ControlLink::ChooseSubscriptions(std::string_view control_plane) {
  const bool plaitd = control_plane == kPlaitd;
  if (plaitd) {
    client_->SubscribeAll(url::kAddress);
    // It answers for each name, also where it sends all clusters: in parts, so the first answer is not all.
    if (bootstrap_.dynamic.cds) store_.SetClusterSource(ConfigStore::ClusterSource::kByName);
  } else if (bootstrap_.dynamic.cds) {
    SubscribeToAllClusters();
  }
  // The CA's answer brings roots as well; those of SDS follow a rotation at once.
  if (certificate_) client_->Subscribe(url::kSecret, kRoots);
  kLog.Info("control plane: " + (control_plane.empty() ? std::string("unnamed") : std::string(control_plane)));
}

bool ControlLink::HasCertificate() const { return certificate_ && secrets_.Has(kOwnCertificate); }

Outcome<std::unique_ptr<io::Stream>> ControlLink::Dial(const xds::Cluster& cluster, Proof proof,
                                                       std::size_t turn) const {
  std::vector<const io::SocketAddress*> all;
  for (const xds::LocalityEndpoints& locality : cluster.load_assignment.localities) {
    for (const xds::Endpoint& endpoint : locality.endpoints)
      if (endpoint.dns_name.empty()) all.push_back(&endpoint.address);
  }
  io::ConnectOptions options;
  options.mark = io::kMarkOutbound;
  options.timeout = cluster.connect_timeout;
  options.keep_alive = upstream::KeepAliveOf(cluster);
  auto stream = io::Connect(loop_, *all[turn % all.size()], options);
  if (!cluster.tls) return stream;
  xds::UpstreamTlsContext config = *cluster.tls;
  const bool own = HasCertificate();
  if (own && proof == Proof::kNewest && config.common.certificates.empty() &&
      config.common.certificate_secrets.empty()) {
    config.common.certificate_secrets.push_back({.name = kOwnCertificate});
  }
  // Roots of the mesh follow its rotation; those of the bootstrap are for the first connection.
  if (own && config.common.validation && secrets_.Has(kRoots)) {
    config.common.validation->trusted_ca = {};
    config.common.validation_secret = xds::SecretRef{.name = kRoots};
  }
  auto context = secrets_.Client(config, false);
  if (!context) return std::unexpected(context.error());
  return tls::Wrap(
      loop_, std::move(stream), *context,
      {.sni = config.sni, .expected_identity = {}, .alpn = config.common.alpn_protocols, .session_key = {}});
}

// Read anew each time: on Kubernetes the file is replaced every hour.
std::string ControlLink::Authorization(Proof proof) const {
  if (!HasToken()) return {};
  if (proof == Proof::kNewest && certificate_ && certificate_->current()) return {};
  const Outcome<std::string> token = io::ReadBounded(bootstrap_.identity->token_path, kMaxToken, io::Pipes::kRefused);
  if (!token) {
    kLog.Warn("the token of this workload: " + token.error().ToString());
    return {};
  }
  return "Bearer " + std::string(Trim(*token));
}

// listener_manager.lds. and cluster_manager.cds.: as in Envoy one refused resource makes it a rejected update.
void ControlLink::CountUpdate(const xds::Update& update, bool rejected) {
  using record::SubscriptionStat;
  const auto& stats = update.type_url == url::kListener ? lds_ : cds_;
  if (!stats || (update.type_url != url::kListener && update.type_url != url::kCluster)) return;
  stats->Add(SubscriptionStat::kAttempt);
  stats->Add(rejected ? SubscriptionStat::kRejected : SubscriptionStat::kSuccess);
  if (rejected) return;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(loop_.clock().Wall().time_since_epoch());
  stats->Set(SubscriptionStat::kTime, static_cast<std::uint64_t>(now.count()));
}

void ControlLink::NoteVersions() const {
  const auto note = [this](const std::optional<record::SubscriptionStats>& stats, std::string_view type) {
    const std::string version = VersionOf(type);
    if (stats && !version.empty())
      stats->Set(record::SubscriptionStat::kVersion, lb::Hash64(version) >> 1);  // gauges are signed
  };
  note(lds_, url::kListener);
  note(cds_, url::kCluster);
}

Outcome<xds::AdsStream::Connection> ControlLink::ConnectAds() {
  // Whoever dials again has lost what was there, or never had it.
  if (std::exchange(dialled_, true)) {
    for (const auto* stats : {&lds_, &cds_}) {
      if (!*stats) continue;
      (*stats)->Add(record::SubscriptionStat::kAttempt);
      (*stats)->Add(record::SubscriptionStat::kFailure);
    }
  }
  auto stream = Dial(*ads_cluster_, ads_proof_, ads_turn_++);
  if (!stream) return std::unexpected(stream.error());
  counting_.reset();  // of the connection before, which is over
  if (const cluster::ClusterPtr cluster = store_.clusters().Find(ads_cluster_->name)) {
    Counted counted = CountOn(cluster->state, loop_, *std::move(stream));
    stream = std::move(counted.stream);
    counting_ = std::move(counted.counting);
  }
  const xds::GrpcTarget& target = *bootstrap_.dynamic.ads;
  xds::AdsStream::Connection connection{.stream = std::move(*stream), .options = {}};
  connection.options.authority = target.authority.empty() ? target.cluster : target.authority;
  connection.options.tls = ads_cluster_->tls.has_value();
  connection.options.authorization = Authorization(ads_proof_);
  for (const auto& [name, value] : target.initial_metadata) connection.metadata.Add(name, value);
  return connection;
}

Outcome<identity::GrpcCaClient::Connection> ControlLink::ConnectCa(Proof proof) {
  auto stream = Dial(*ca_cluster_, proof, ca_turn_++);
  if (!stream) return std::unexpected(stream.error());
  return identity::GrpcCaClient::Connection{.stream = std::move(*stream),
                                            .authority = ca_cluster_->name,
                                            .authorization = Authorization(proof),
                                            .has_alternative = HasCertificate() && HasToken()};
}

void ControlLink::OnSecret(const identity::WorkloadSecret& secret) {
  // Roots first: what waits for both then sees both.
  if (!subscriber_.Answered(url::kSecret)) {
    if (auto put = store_.PutSecret(Roots(secret), {}); !put) kLog.Error(put.error().ToString());
  }
  if (auto put = store_.PutSecret(OwnCertificate(secret), {}); !put) kLog.Error(put.error().ToString());
}

// As Istio's agent: other roots mean that the authority has been or will be another, so a certificate of the present
// one is asked for. Not all proxies at once.
void ControlLink::FollowRoots() {
  constexpr Duration kSpread = std::chrono::milliseconds(500);
  if (!certificate_ || !certificate_->current() || renewal_.armed()) return;
  const std::string roots = TrustedRoots();
  if (roots.empty() || roots == certificate_->current()->bundle_pem) return;
  renewal_.Start(loop_.timers(),
                 Duration(static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(kSpread.count())))));
}

std::string ControlLink::TrustedRoots() const {
  for (const auto& secret : secrets_.All()) {
    if (secret->name != kRoots) continue;
    const auto* validation = std::get_if<xds::ValidationContext>(&secret->value);
    if (validation != nullptr) return ReadSource(validation->trusted_ca).value_or("");
  }
  return {};
}

void ControlLink::Renew(std::move_only_function<void(Outcome<>)> done) {
  if (certificate_) return certificate_->RenewNow(std::move(done));
  loop_.Defer([done = std::move(done)]() mutable {
    done(Explain(Errc::kUnavailable, "this proxy has no identity of its own", "the bootstrap has no plait.identity"));
  });
}

bool ControlLink::ready() const {
  if (certificate_ && !certificate_->current()) return false;
  if (!stream_) return true;
  if (bootstrap_.dynamic.lds && !subscriber_.Answered(url::kListener)) return false;
  if (client_->control_plane() == kPlaitd && !subscriber_.Answered(url::kAddress)) return false;
  return !bootstrap_.dynamic.cds || !gateway_ || subscriber_.Answered(url::kCluster);
}

std::string ControlLink::problem() const {
  if (certificate_ && !certificate_->problem().empty()) return certificate_->problem();
  return stream_ ? stream_->problem() : std::string();
}

std::string ControlLink::VersionOf(std::string_view type_url) const {
  if (!client_) return {};
  const auto status = client_->status();
  const auto type = status.find(type_url);
  return type == status.end() ? std::string() : type->second.system_version;
}

}  // namespace plait::proxy::worker
