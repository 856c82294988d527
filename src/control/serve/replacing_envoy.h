#pragma once
// The client for tests of what must be warm before a route leads to it, in either form of the protocol.
#include <string>

#include "core/xds/type_url.h"

namespace plait::control::serve {

// An Envoy whose route leads to a cluster that is replaced, with the route, by one of another name. `Client`: of a
// session of its own, with a FakeProvider.
template <class Client>
struct ReplacingEnvoy : Client {
  ReplacingEnvoy() {
    this->proxy.plait_form = false;
    SetAll("old");
    this->Settle(this->Subscribe(xds::type_url::kCluster, {}));
    this->Settle(this->Subscribe(xds::type_url::kEndpoint, {"old"}));
    this->Settle(this->Subscribe(xds::type_url::kRoute, {"80"}));
  }
  void SetAll(const std::string& name) {
    this->Set(xds::type_url::kCluster, name, "1");
    this->Set(xds::type_url::kEndpoint, name, "1");
    this->Set(xds::type_url::kRoute, "80", "to " + name);
  }
  auto Replace(const std::string& from, const std::string& to) {
    this->provider.Remove(xds::type_url::kCluster, from);
    this->provider.Remove(xds::type_url::kEndpoint, from);
    SetAll(to);
    return this->Change();
  }
};

}  // namespace plait::control::serve
