#pragma once
// For tests of what is made from objects: a snapshot from YAML text and a few running pods.
#include <memory>
#include <string>
#include <vector>

#include "control/model/decode.h"
#include "control/model/snapshot.h"

namespace plait::control::model::testing {

inline Workload RunningPod(std::string name, std::string owner, Labels labels, std::string ip,
                           std::string account = "default", std::string name_space = "default") {
  return {.uid = "uid-" + name,
          .name = std::move(name),
          .name_space = std::move(name_space),
          .labels = std::move(labels),
          .service_account = std::move(account),
          .ips = {*io::IpAddress::Parse(ip)},
          .ready = true,
          .meshed = true,
          .owner = std::move(owner)};
}

inline SnapshotRef SnapshotOf(const std::string& yaml, std::vector<Workload> workloads = {},
                              const SnapshotOptions& options = {}) {
  Decoded decoded = DecodeText(yaml, "test.yaml");
  return Snapshot::Build(std::move(decoded.objects),
                         std::make_shared<const std::vector<Workload>>(std::move(workloads)), options);
}

inline std::string Said(const Findings& findings) {
  std::string out;
  for (const Finding& finding : findings) out += finding.ToString() + "\n";
  return out;
}

}  // namespace plait::control::model::testing
