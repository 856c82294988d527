#pragma once
// The bootstraps of a workload's proxies, as YAML (Envoy v3; with the extension plait.identity for plait-proxy). Pure.
#include <string>
#include <vector>

#include "local/desired.h"

namespace plait::local {

struct BootstrapInput {
  const PodSpec& pod;
  std::vector<std::string> ips;
  std::string token_path;
  std::string root_path;
  std::string control_address;  // of plaitd, "10.244.0.1"
  Port xds_port;
};
std::string BootstrapYaml(const BootstrapInput& input);

// A workload whose proxy is a stock Envoy (semantics.md 10) has two bootstraps: Envoy's own, and that of the
// plait-proxy beside it, which keeps the identity and answers DNS (--identity-only).
std::string IdentityBootstrapYaml(const BootstrapInput& input);
struct EnvoyBootstrapInput {
  const BootstrapInput& common;
  std::string sds_path;  // the Unix socket of the plait-proxy beside it
  bool delta = true;     // ADS as DELTA_GRPC; else GRPC, state of the world
};
std::string EnvoyBootstrapYaml(const EnvoyBootstrapInput& input);

// The deployment's name where there is one (as Istio's WORKLOAD_NAME), else the pod's.
std::string WorkloadName(const PodSpec& pod);
// A `fieldRef` path of this pod, of a variable or a volume; empty for what a local mesh does not have.
std::string FieldOf(const PodSpec& pod, const std::vector<std::string>& ips, std::string_view path);

}  // namespace plait::local
