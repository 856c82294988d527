#pragma once
// A client of the incremental protocol for tests, at a DeltaSession of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "control/serve/delta_session.h"
#include "control/serve/fake_provider.h"

namespace plait::control::serve {

// A plait-proxy that acknowledges when it is told to.
struct DeltaClient {
  using Names = std::vector<std::string>;

  DeltaClient() { proxy.plait_form = true; }
  std::vector<xds::SharedDeltaResponse> Send(xds::DeltaRequest request) {
    EXPECT_TRUE(session.OnRequest(request));
    return Take();
  }
  std::vector<xds::SharedDeltaResponse> Take() { return session.Take(provider, proxy); }
  std::vector<xds::SharedDeltaResponse> Subscribe(std::string_view type, Names names,
                                                  std::map<std::string, std::string> has = {}) {
    return Send({.type_url = std::string(type), .subscribe = std::move(names), .initial_versions = std::move(has)});
  }
  std::vector<xds::SharedDeltaResponse> Ack(const xds::SharedDeltaResponse& response) {
    return Send({.type_url = response.type_url, .response_nonce = response.nonce});
  }
  // Acknowledges until nothing more comes; everything that came.
  std::vector<xds::SharedDeltaResponse> Settle(std::vector<xds::SharedDeltaResponse> responses) {
    for (std::size_t i = 0; i < responses.size(); ++i) {
      auto more = Ack(xds::SharedDeltaResponse(responses[i]));
      responses.insert(responses.end(), more.begin(), more.end());
    }
    return responses;
  }
  std::vector<xds::SharedDeltaResponse> Change(const Difference& difference = {}) {
    session.OnConfigChanged(difference, proxy);
    return Take();
  }
  void Set(std::string_view type, std::string name, std::string version) {
    provider.Set(type, std::move(name), std::move(version));
  }

  FakeProvider provider;
  Proxy proxy;
  DeltaSession session;
};

inline DeltaClient::Names NamesOf(const xds::SharedDeltaResponse& response) {
  DeltaClient::Names names;
  for (const auto& resource : response.resources) names.push_back(resource->name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace plait::control::serve
