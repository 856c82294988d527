#pragma once
// What `plait status` shows, as the supervisor tells it (semantics.md 8) and the command line reads it.
#include <string>
#include <utility>
#include <vector>

#include "core/base/port.h"
#include "core/base/result.h"

namespace plait::local {

// How the reason of a gateway begins that serves, but not at a port of its own address.
inline constexpr const char* kNotReached = "the mesh does not reach the gateway at its own address: ";

struct ContainerStatus {
  std::string name;
  std::string state;  // waiting, starting, running, ended
  int pid = 0;
  int restarts = 0;
  bool ready = false;
  bool sidecar = false;  // of init_containers: it goes on beside the others
};
struct WorkloadStatus {
  std::string name;
  std::string ns;
  std::string owner;       // of the Deployment, StatefulSet or Job; empty: none
  std::string owner_kind;  // "Deployment" ...; empty: none
  int completions = 1;     // of a Job: how many of its pods must succeed
  std::string service_account;
  std::string ip;
  std::vector<std::string> ips;
  int pid = 0;  // of the first container, in the mesh's pid namespace
  int proxy_pid = 0;
  std::string proxy;          // sidecar, gateway, dns or none
  std::string proxy_program;  // plait-proxy or envoy; empty without one
  bool ready = false;
  std::string phase;
  int restarts = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> capture;  // annotations traffic.sidecar.istio.io/*
  std::vector<ContainerStatus> init_containers;
  std::vector<ContainerStatus> containers;
};
struct GatewayPortStatus {
  Port port;
  Port host_port;
};
struct MeshStatus {
  std::string name;
  std::string state;  // starting, ready, degraded, stopping
  std::string mode;   // rootless, netns
  std::string mode_reason;
  std::vector<std::string> limits;    // what the mode cannot do
  std::vector<std::string> defaults;  // in force because nobody says otherwise, and not Istio's
  std::string directory;
  std::string run_dir;
  std::string state_dir;
  std::string url;  // empty without a gateway
  std::string debug_url;
  std::string trust_domain;
  int plaitd_pid = 0;
  std::vector<GatewayPortStatus> gateway_ports;
  std::vector<std::string> messages;  // the latest warnings
  std::vector<WorkloadStatus> workloads;
};

std::string EncodeMeshStatus(const MeshStatus& status);
Outcome<MeshStatus> DecodeMeshStatus(std::string_view text);

}  // namespace plait::local
