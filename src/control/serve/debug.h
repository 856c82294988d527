#pragma once
// The HTTP endpoints of 15014: Istio's /debug/* paths as istioctl, Kiali and people know them, /metrics, /version,
// /ready. What needs the model is added as pages by its owner (model_pages.h). One thread.
//
// /debug/* answers callers on this host, and others who show the bearer token of a workload of a system namespace
// (semantics.md 4). On this host a page that a browser was made to ask for under a foreign name (DNS rebinding) is
// refused.
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/ca/authenticate.h"
#include "control/serve/ads_server.h"
#include "control/serve/metrics.h"
#include "core/conn/http_server.h"

namespace plait::control::serve {

struct DebugOptions {
  std::string version = "unknown";
  std::string cluster_id = "Kubernetes";
  std::vector<std::string> system_namespaces = {"istio-system", "plait-system"};  // may read from other hosts
};

class DebugEndpoints {
 public:
  // All references outlive it.
  DebugEndpoints(const AdsServer& ads, const ca::TokenTable& tokens, Metrics& metrics, DebugOptions options);

  // `answer` gets the query's values by name. `path` begins with /debug/.
  using Query = std::map<std::string, std::string, std::less<>>;
  using Page = std::function<conn::Response(const Query& query)>;
  void AddPage(std::string path, std::string description, Page answer);
  // Called before /metrics is written: gauges that are cheaper to ask for than to follow.
  void BeforeScrape(std::function<void(Metrics&)> fill) { fill_.push_back(std::move(fill)); }
  // 200 on /ready from now on.
  void SetReady(bool ready) noexcept { ready_ = ready; }

  void Handle(const conn::Request& request, conn::Responder responder);
  conn::Response Answer(const conn::Request& request);

 private:
  struct Entry {
    std::string description;
    Page answer;
  };
  // What refuses the caller; nullopt: he may read.
  std::optional<conn::Response> Refusal(const conn::Request& request) const;
  conn::Response Connections() const;
  conn::Response SyncStatus() const;
  conn::Response Watches() const;
  conn::Response ConfigDump(const Query& query) const;
  conn::Response EndpointsOf(const Query& query) const;
  conn::Response List() const;
  conn::Response Index() const;
  conn::Response Scrape();
  conn::Response Version() const;

  const AdsServer& ads_;
  const ca::TokenTable& tokens_;
  Metrics& metrics_;
  const DebugOptions options_;
  bool ready_ = false;
  std::map<std::string, Entry, std::less<>> pages_;
  std::vector<std::function<void(Metrics&)>> fill_;
};

conn::Response JsonResponse(std::string body);

}  // namespace plait::control::serve
