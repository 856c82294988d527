#pragma once
// One type on one incremental stream: what the client wants, what it holds, what it must be told now. Pure.
//
// At most one response of a type is on its way: the next is made from the newest configuration when the last one was
// answered, so a slow client never makes a queue and never gets a stale state after a fresh one.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/serve/resource_provider.h"

namespace plait::control::serve {

class Subscription {
 public:
  explicit Subscription(std::string type_url) : type_url_(std::move(type_url)) {}

  // Takes a request of this type: names, an acknowledgement, or both.
  void Apply(const xds::DeltaRequest& request);
  // The response that brings the client up to date, or nullopt when there is nothing to say or one is on its way.
  std::optional<xds::DeltaResponse> Next(const Proxy& proxy, ResourceProvider& provider);

  const std::string& type_url() const noexcept { return type_url_; }
  bool awaiting_answer() const noexcept { return !nonce_.empty(); }
  bool wildcard() const noexcept { return wildcard_; }
  const std::set<std::string, std::less<>>& names() const noexcept { return names_; }
  const std::map<std::string, std::string, std::less<>>& held() const noexcept { return held_; }  // name -> version sent
  const std::string& last_error() const noexcept { return last_error_; }  // of the last answer; empty: it was an ACK
  std::uint64_t sent() const noexcept { return sent_; }
  std::uint64_t resources_sent() const noexcept { return resources_sent_; }
  std::uint64_t rejections() const noexcept { return rejections_; }

 private:
  void AddWildcard(const Proxy& proxy, ResourceProvider& provider, xds::DeltaResponse& out, std::set<std::string, std::less<>>& present);
  void AddNamed(const Proxy& proxy, ResourceProvider& provider, xds::DeltaResponse& out, std::set<std::string, std::less<>>& present);
  void Offer(xds::WireResource resource, xds::DeltaResponse& out, std::set<std::string, std::less<>>& present);

  std::string type_url_;
  bool begun_ = false;
  bool answered_once_ = false;   // a first request is always answered, also with nothing
  bool wildcard_ = false;
  std::set<std::string, std::less<>> names_;
  std::set<std::string, std::less<>> told_absent_;
  std::map<std::string, std::string, std::less<>> held_;
  std::string nonce_;            // of the response on its way; empty: none
  std::uint64_t sent_ = 0, resources_sent_ = 0, rejections_ = 0;
  std::string last_error_;
};

}  // namespace plait::control::serve
