// plait cert rotate: new certificates for all workloads now; with --anchor under a new root, without a moment in which
// somebody does not trust somebody. What the steps are to plaitd stands in control/ca/authority.h.
#include "cli/cert.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/envoys.h"
#include "cli/interrupt.h"
#include "cli/workloads.h"
#include "core/tls/root_certificate.h"
#include "local/mounts.h"
#include "local/paths.h"
#include "local/proxy_requests.h"

namespace plait::cli {
namespace {

constexpr std::chrono::seconds kPatience(60);
constexpr std::chrono::seconds kLeaving(5);  // from the end of a proxy until nobody counts its workload any more
constexpr int kTurn = 50;                    // milliseconds
constexpr int kSettling = 5'000;             // handshakes that began under the old root end, and so do most requests

std::string NameOf(const local::WorkloadStatus& w) { return w.name + "." + w.ns; }

Outcome<std::vector<std::string>> SerialsOfEnvoy(const MeshOptions& mesh, const std::string& workload,
                                                 std::string_view secret) {
  const Outcome<Json> page =
      AskProxyForJson(mesh, workload, "/config_dump?resource=dynamic_active_secrets", kShortPatience);
  if (!page) return std::unexpected(page.error());
  return SerialsIn(*page, secret);
}

// Serial numbers of the roots that a proxy trusts, in their order.
Outcome<std::vector<std::string>> RootsOf(const MeshOptions& mesh, const local::WorkloadStatus& w) {
  const std::string workload = NameOf(w);
  if (HasEnvoy(w)) return SerialsOfEnvoy(mesh, workload, "ROOTCA");
  const Outcome<Json> page = AskProxyForJson(mesh, workload, "/certs", kShortPatience);
  if (!page) return std::unexpected(page.error());
  std::vector<std::string> out;
  for (const Json& entry : page->value("certificates", Json::array()))
    for (const Json& root : entry.value("ca_cert", Json::array()))
      if (root.value("path", "") == "ROOTCA") out.push_back(root.value("serial_number", ""));
  return out;
}

Outcome<std::vector<local::WorkloadStatus>> Workloads(const MeshOptions& mesh) {
  Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return std::unexpected(status.error());
  std::erase_if(status->workloads, [](const auto& w) { return w.proxy_pid <= 0 || !HasProxy(w); });
  return std::move(status->workloads);
}

// An Envoy gets it from the process beside it, after a moment.
Outcome<> RenewEnvoy(const MeshOptions& mesh, const std::string& workload) {
  const auto before = SerialsOfEnvoy(mesh, workload, "default");
  if (!before) return std::unexpected(before.error());
  const Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return std::unexpected(client.error());
  if (Outcome<> asked = local::RenewIdentity(*client, workload); !asked) return asked;
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    if (const auto now = SerialsOfEnvoy(mesh, workload, "default"); now && !now->empty() && *now != *before) return {};
    poll(nullptr, 0, kTurn);
  }
  return Explain(Errc::kTimedOut, "the Envoy of " + workload + " has no new certificate within 60 s",
                 "plait logs" + Named(mesh) + " -c plait-identity " + workload);
}

Outcome<> RenewOne(const MeshOptions& mesh, const local::WorkloadStatus& w) {
  if (HasEnvoy(w)) return RenewEnvoy(mesh, NameOf(w));
  if (const auto renewed = PostToProxy(mesh, NameOf(w), "/plait/renew"); !renewed)
    return std::unexpected(renewed.error());
  return {};
}

class Rotation {
 public:
  Rotation(const MeshOptions& mesh, std::string folder, const Interrupt& interrupt)
      : mesh_(mesh), folder_(std::move(folder)), interrupt_(interrupt) {}

  Outcome<> Run() {
    const Outcome<> made = MakeNext();
    if (!made) return made;
    if (Outcome<> done = Trust(old_pem_ + next_pem_); !done) return done;
    if (Outcome<> known = AwaitRoots({old_serial_, next_serial_}, "trust both roots",
                                     "the old root signs, and whoever trusts the new one trusts the old one, too");
        !known)
      return known;
    Step("every workload trusts both roots");
    if (Outcome<> done = Replace(); !done) return done;
    if (Outcome<> known =
            AwaitRoots({next_serial_, old_serial_}, "have the new root first", "both roots are trusted meanwhile");
        !known)
      return known;
    if (Outcome<> done = RenewAll(mesh_); !done) return done;
    Step("every workload has a certificate under the new root");
    // Proxies have let go of connections whose own certificate is of the old one. What still runs there afterwards has
    // their drain time.
    for (int waited = 0; waited < kSettling; waited += kTurn) {
      if (interrupt_.came()) return Interrupted();
      poll(nullptr, 0, kTurn);
    }
    std::filesystem::remove(folder_ + "/trusted-roots.pem");
    if (Outcome<> known = AwaitRoots({next_serial_}, "let the old root go",
                                     "the new root signs, and the old one is still trusted there");
        !known)
      return known;
    Step("nobody trusts the old root any more");
    return {};
  }
  const std::string& serial() const noexcept { return next_serial_; }

  // A workload may end while its turn comes. One whose proxy is another process now has a new certificate, too.
  static Outcome<> RenewAll(const MeshOptions& mesh) {
    Outcome<std::vector<local::WorkloadStatus>> now = Workloads(mesh);
    if (!now) return std::unexpected(now.error());
    std::vector<Renewal> left;
    for (local::WorkloadStatus& w : *now) left.push_back({.workload = std::move(w)});
    const std::size_t all = left.size();
    std::optional<std::chrono::steady_clock::time_point> end;
    for (;;) {
      for (Renewal& one : left) one.done = RenewOne(mesh, one.workload);
      std::erase_if(left, [](const Renewal& one) { return one.done.has_value(); });
      if (left.empty()) return {};
      now = Workloads(mesh);
      if (now) std::erase_if(left, [&](const Renewal& one) { return !IsAmong(*now, one.workload); });
      if (left.empty()) return {};
      if (!end) end = std::chrono::steady_clock::now() + kLeaving;
      if (!now || std::chrono::steady_clock::now() >= *end) return Failed(left, all);
      poll(nullptr, 0, kTurn);
    }
  }

 private:
  struct Renewal {
    local::WorkloadStatus workload;
    Outcome<> done = {};
  };

  static bool IsAmong(const std::vector<local::WorkloadStatus>& all, const local::WorkloadStatus& w) {
    return std::any_of(all.begin(), all.end(), [&w](const local::WorkloadStatus& one) {
      return one.name == w.name && one.ns == w.ns && one.proxy_pid == w.proxy_pid;
    });
  }

  static Outcome<> Failed(const std::vector<Renewal>& left, std::size_t of) {
    Diagnostic first = left.front().done.error();
    if (left.size() > 1)
      first.message += "; " + std::to_string(left.size() - 1) + " more of " + std::to_string(of) +
                       " workloads have the certificate that they had";
    return std::unexpected(std::move(first));
  }

  Outcome<> Interrupted() const {
    return Explain(Errc::kCancelled, "interrupted; the mesh goes on with both roots",
                   "plait cert rotate" + Named(mesh_) + " --anchor, again, brings it to its end");
  }

  std::string File(const char* name) const { return folder_ + "/" + name; }

  Outcome<> MakeNext() {
    old_pem_ = local::ReadWholeFile(File("root-cert.pem"));
    const Outcome<tls::Certificate> old = tls::Certificate::FromPem(old_pem_);
    if (!old)
      return Explain(Errc::kNotFound,
                     "cannot read the root of the mesh, " + File("root-cert.pem") + ": " + old.error().message);
    old_serial_ = old->serial();
    // plaitd would take no root of these files.
    const Outcome<tls::PrivateKey> signs = tls::PrivateKey::FromPem(local::ReadWholeFile(File("root-key.pem")));
    if (!signs || !signs->Matches(*old))
      return Explain(Errc::kNotFound,
                     "the key of the mesh's root, " + File("root-key.pem") + ": " +
                         (signs ? "it does not belong to " + File("root-cert.pem") : signs.error().message) +
                         "; nothing was changed",
                     "restore it from a backup; plait status" + Named(mesh_) + " tells what plaitd goes on with");
    const tls::PrivateKey key = tls::PrivateKey::Generate();
    const Outcome<tls::Certificate> next = tls::MakeRoot(TrustDomain(), key);
    if (!next) return std::unexpected(next.error());
    next_serial_ = next->serial();
    next_pem_ = next->ToPem();
    if (Outcome<> written = local::WritePrivate(File("next-root-cert.pem"), next_pem_); !written) return written;
    return local::WritePrivate(File("next-root-key.pem"), key.ToPem());
  }

  std::string TrustDomain() const {
    const Outcome<local::MeshStatus> status = StatusOf(mesh_);
    return status ? status->trust_domain : "";
  }

  // Renamed into place: plaitd never reads a half of it.
  Outcome<> Trust(const std::string& roots) {
    if (Outcome<> written = local::WritePrivate(File("trusted-roots.new"), roots); !written) return written;
    return Rename("trusted-roots.new", "trusted-roots.pem");
  }

  Outcome<> Replace() {
    if (Outcome<> done = Rename("next-root-cert.pem", "root-cert.pem"); !done) return done;
    return Rename("next-root-key.pem", "root-key.pem");
  }

  Outcome<> Rename(const char* from, const char* to) {
    std::error_code error;
    std::filesystem::rename(File(from), File(to), error);
    if (error) return Explain(Errc::kDenied, "cannot write " + File(to) + ": " + error.message());
    return {};
  }

  // `meanwhile`: what is so where it does not come to that.
  Outcome<> AwaitRoots(const std::vector<std::string>& wanted, const std::string& what, const std::string& meanwhile) {
    std::string late = "nobody";
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      const Outcome<std::vector<local::WorkloadStatus>> workloads = Workloads(mesh_);
      if (!workloads) return std::unexpected(workloads.error());
      late.clear();
      for (const local::WorkloadStatus& w : *workloads) {
        const Outcome<std::vector<std::string>> roots = RootsOf(mesh_, w);
        if (!roots || *roots != wanted) late = NameOf(w);
        if (!late.empty()) break;
      }
      if (late.empty()) return {};
      if (interrupt_.came()) return Interrupted();
      poll(nullptr, 0, kTurn);
    }
    const std::string named = Named(mesh_);
    return Explain(Errc::kTimedOut, late + " did not " + what + " within 60 s; " + meanwhile,
                   "plait status" + named + "; plait ps" + named + "; plait logs" + named +
                       " plaitd; then plait cert rotate" + named + " --anchor again");
  }

  const MeshOptions& mesh_;
  const std::string folder_;
  const Interrupt& interrupt_;
  std::string old_pem_, next_pem_;
  std::string old_serial_, next_serial_;
};

int Rotate(const MeshOptions& mesh, bool anchor) {
  const Outcome<local::MeshStatus> status = StatusOf(mesh);
  if (!status) return Report(status.error());
  Json data = {{"mesh", mesh.name}, {"anchor", anchor}};
  if (!anchor) {
    if (const Outcome<> renewed = Rotation::RenewAll(mesh); !renewed) return Report(renewed.error());
  } else {
    const Interrupt interrupt;
    Rotation rotation(mesh, status->state_dir + "/ca", interrupt);
    if (const Outcome<> done = rotation.Run(); !done) return Report(done.error());
    data["root_serial"] = rotation.serial();
  }
  Output output{.text = anchor ? "the mesh has a new root certificate\n" : "every workload has a new certificate\n",
                .names = {"mesh/" + mesh.name}};
  output.data = Data(std::move(data));
  return Show(mesh.format, output);
}

}  // namespace

Command CertCommand(MeshOptions& mesh) {
  const auto anchor = std::make_shared<bool>(false);
  Command rotate{
      .name = "rotate",
      .summary = "new certificates for all workloads, now",
      .details =
          "With --anchor under a new root: first both roots are trusted, then the new one signs, then the "
          "old one is trusted no more. Requests that run then have the proxies' drain time, 45 seconds, to end; TCP "
          "connections that began under the old root end with it.",
      .examples = {{"cert rotate --anchor", "when the root ends soon, or its key got about"}},
      .options = {{.names = "--anchor", .help = "replace the mesh's root certificate too", .to = anchor.get()}},
      .run = [&mesh, anchor] { return Rotate(mesh, *anchor); }};
  Command command{.name = "cert", .summary = "certificates of the mesh"};
  command.children.push_back(std::move(rotate));
  return command;
}

}  // namespace plait::cli
