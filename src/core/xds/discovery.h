#pragma once
// Messages of both forms of the xDS protocol as plain values: incremental ("delta") and state of the world. Mirrors
// envoy.service.discovery.v3.{Delta,}Discovery{Request,Response}.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/xds/bootstrap.h"

namespace plait::xds {

inline constexpr const char* kDeltaAdsMethod =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
inline constexpr const char* kAdsMethod =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

// A resource on the wire: `bytes` is the serialized message of the response's type.
struct WireResource {
  std::string name;
  std::string version;
  std::vector<std::string> aliases;
  std::string bytes;
  friend bool operator==(const WireResource&, const WireResource&) = default;
};

struct DeltaRequest {
  std::optional<Node> node;  // on the first request of a stream
  std::string type_url;
  std::vector<std::string> subscribe;  // "*" asks for the wildcard
  std::vector<std::string> unsubscribe;
  std::map<std::string, std::string>
      initial_versions;              // name -> version that the client already has; after a reconnect
  std::string response_nonce;        // of the response that this acknowledges; empty: a request of its own
  std::optional<std::string> error;  // a NACK: why
  friend bool operator==(const DeltaRequest&, const DeltaRequest&) = default;
};

template <class Resource>
struct DeltaResponseOf {
  std::string type_url;
  std::string nonce;
  std::string system_version;
  std::string control_plane;  // control_plane.identifier
  std::vector<Resource> resources;
  std::vector<std::string> removed;
  // Of other control planes than plaitd; of what is received only. By name of a resource.
  std::vector<std::pair<std::string, std::string>> heartbeats = {};  // without a body: the version that is renewed
  std::vector<std::pair<std::string, std::string>> foreign = {};     // its body is of this type, not of the response's
  std::vector<std::pair<std::string, Duration>> ttls = {};           // how long it lives unless it is renewed
  friend bool operator==(const DeltaResponseOf&, const DeltaResponseOf&) = default;
};
using DeltaResponse = DeltaResponseOf<WireResource>;
// What a server sends, whose resources are those of many streams. None is null.
using SharedDeltaResponse = DeltaResponseOf<std::shared_ptr<const WireResource>>;

// State of the world: each request says everything that the client wants of a type.
struct DiscoveryRequest {
  std::optional<Node> node;  // on the first request of a stream
  std::string type_url;
  std::string version;               // of the last response that the client accepted
  std::vector<std::string> names;    // none, or "*": the wildcard (sotw_session.h has the rules)
  std::string response_nonce;        // of the last response of the type; empty: there was none
  std::optional<std::string> error;  // a NACK: why
  friend bool operator==(const DiscoveryRequest&, const DiscoveryRequest&) = default;
};

struct DiscoveryResponse {
  std::string type_url;
  std::string version;
  std::string nonce;
  std::string control_plane;           // control_plane.identifier
  std::vector<std::string> resources;  // serialized messages of the type
  friend bool operator==(const DiscoveryResponse&, const DiscoveryResponse&) = default;
};

std::string EncodeDeltaRequest(const DeltaRequest& request);
Result<DeltaRequest> DecodeDeltaRequest(std::string_view bytes);
std::string EncodeDeltaResponse(const DeltaResponse& response);
std::string EncodeDeltaResponse(const SharedDeltaResponse& response);
Result<DeltaResponse> DecodeDeltaResponse(std::string_view bytes);
std::string EncodeDiscoveryRequest(const DiscoveryRequest& request);
Result<DiscoveryRequest> DecodeDiscoveryRequest(std::string_view bytes);
std::string EncodeDiscoveryResponse(const DiscoveryResponse& response);
Result<DiscoveryResponse> DecodeDiscoveryResponse(std::string_view bytes);

}  // namespace plait::xds
