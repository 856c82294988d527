#pragma once
// What the tests of HttpPool share: a request that goes through a pool, and a cluster with the options of a pool to it.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/cluster/cluster_set.h"
#include "proxy/upstream/http_pool.h"

namespace plait::proxy::upstream {

// One request: remembers how it ended. It lives until then, or longer than the pool: a stream that is given up tells
// its end later.
class PoolRequest : public HttpPool::Waiter, public http::ClientStreamEvents {
 public:
  explicit PoolRequest(HttpPool& pool) : pool_(pool) {}
  ~PoolRequest() override { EXPECT_TRUE(opened.stream == nullptr || closed) << "its stream is still there"; }

  // On a connection that has room now, or else on the one that it waits for.
  Result<> Start() { return Try() ? Result<>{} : Wait(); }
  Result<> Wait() { return pool_.Wait(*this); }
  void OnTurn(HttpPool&) override { Try(); }
  void OnPoolFailure(PoolFailure why, const std::string& reason) override {
    failure = why;
    failure_reason = reason;
  }

  void OnInformational(http::ResponseHead) override {}
  void OnResponseHead(http::ResponseHead head, bool) override { status = head.status; }
  void OnData(Buffer&, bool) override {}
  void OnTrailers(http::Headers) override {}
  void OnReset(http::ResetReason) override { reset = true; }
  void OnBelowLowWatermark() override {}
  void OnStreamClosed() override { closed = true; }

  bool over() const { return closed || failure.has_value(); }

  HttpPool::Opened opened;
  std::optional<PoolFailure> failure;
  std::string failure_reason;
  std::uint16_t status = 0;
  bool reset = false;
  bool closed = false;

 private:
  bool Try() {
    opened = pool_.Take(*this);
    if (opened.stream == nullptr) return false;
    http::RequestHead head;
    head.method = "GET";
    head.scheme = "http";
    head.authority = "app";
    head.path = "/";
    opened.stream->SendHead(head, true);
    return true;
  }
  HttpPool& pool_;
};

// The cluster "app" with these hosts.
inline cluster::ClusterPtr PutApp(cluster::ClusterStore& store, const std::vector<io::SocketAddress>& hosts,
                                  const xds::CircuitBreakers& breakers = {}) {
  auto config = std::make_shared<xds::Cluster>();
  config->name = config->load_assignment.cluster_name = "app";
  auto& endpoints = config->load_assignment.localities.emplace_back().endpoints;
  for (const io::SocketAddress& host : hosts) endpoints.emplace_back().address = host;
  config->circuit_breakers = breakers;
  EXPECT_TRUE(store.Put(config).has_value());
  return store.Find("app");
}

// Of a pool to one of them.
inline HttpPoolOptions OptionsFor(Connector& connector, const cluster::ClusterPtr& cluster, conn::Protocol protocol,
                                  std::size_t host = 0) {
  HttpPoolOptions options;
  options.connector = &connector;
  options.cluster = cluster;
  options.host = cluster->priorities.at(0).all.at(host);
  options.dial.address = options.host->address();
  options.connection.protocol = protocol;
  return options;
}

}  // namespace plait::proxy::upstream
