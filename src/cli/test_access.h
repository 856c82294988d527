#pragma once
// What the checks of `plait test` do to a running mesh, over the interfaces that any user has: commands and load in its
// workloads, the admin ports of its proxies, their logs. Errors: kCancelled when a signal came.
#include <chrono>
#include <string>
#include <vector>

#include "cli/check_verdicts.h"
#include "cli/verbs.h"
#include "cli/workload_command.h"

namespace plait::cli {

class TestAccess {
 public:
  TestAccess(MeshOptions mesh, const Interrupt& interrupt) : mesh_(std::move(mesh)), interrupt_(interrupt) {}

  Outcome<local::MeshStatus> Status() const;
  // Requests from a workload by `plait-demo-app load`, to the end.
  Outcome<LoadReport> Load(const std::string& from, const std::string& url,
                           const std::vector<std::string>& arguments) const;
  Outcome<WorkloadCommand> StartLoad(const std::string& from, const std::string& url,
                                     const std::vector<std::string>& arguments) const;
  Outcome<LoadReport> AwaitLoad(WorkloadCommand& load) const;
  // One request with its body.
  Outcome<Answer> Get(const std::string& from, const std::string& url) const;

  Outcome<std::vector<Sample>> Metrics(const std::string& workload) const;
  Outcome<> RenewCertificate(const std::string& workload) const;
  // Serial number of the workload's own certificate.
  Outcome<std::string> CertificateSerial(const std::string& workload) const;
  // What `plait logs -c istio-proxy WORKLOAD` shows.
  Outcome<std::string> ProxyLog(const std::string& workload) const;

  // Asks again every few milliseconds until `holds` or the time is over; false when it never did.
  template <class Condition>
  Outcome<bool> Until(Condition holds, int milliseconds) const {
    constexpr int kTurn = 20;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    for (;;) {
      Outcome<bool> now = holds();
      if (!now || *now) return now;
      if (std::chrono::steady_clock::now() >= end) return false;
      if (Outcome<> paused = Pause(kTurn); !paused) return std::unexpected(paused.error());
    }
  }
  Outcome<> Pause(int milliseconds) const;

 private:
  Outcome<local::ControlClient> Connect() const;
  Outcome<io::UniqueFd> Admin(const std::string& workload) const;
  Outcome<CommandEnd> Run(const std::string& workload, const std::vector<std::string>& argv) const;

  MeshOptions mesh_;
  const Interrupt& interrupt_;
};

}  // namespace plait::cli
