#pragma once
// Answers /plait/explain: makes a question of the query's words by the names and listeners of this proxy, explains it
// (session/explain.h), fetching what a first connection would fetch, and writes the answer as JSON. Main thread.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/xds/bootstrap.h"
#include "proxy/admin/explain_page.h"
#include "proxy/dns/dns_index.h"
#include "proxy/listen/compiled_listener.h"
#include "proxy/session/explain.h"
#include "proxy/worker/config_store.h"

namespace plait::proxy::worker {

// Who is asked.
struct ExplainScene {
  const xds::Node& node;
  const dns::DnsIndex& names;
  std::vector<listen::ListenerPtr> listeners;
  std::function<bool(const std::string&)> has_secret;
};

struct ExplainAnswer {
  std::string listener;
  session::Explanation explanation;
};
// One try: `explanation.missing` says what must be there first. Errors are for people: no such name, which port, no
// listener takes it.
Outcome<ExplainAnswer> TryExplain(const ExplainScene& scene, const session::ConfigView& view,
                                  const admin::ExplainQuery& query);
std::string ExplainJson(const ExplainAnswer& answer, const admin::ExplainQuery& query);

// An explanation that waits for configuration; ends when dropped. `done` is called once, in a later round.
class LiveExplanation final : private session::ConfigView {
 public:
  using Done = std::move_only_function<void(Outcome<std::string>)>;
  LiveExplanation(ConfigStore& store, ExplainScene scene, admin::ExplainQuery query, Done done);

 private:
  void Try();
  void Await(const session::Missing& missing);
  void Finish(Outcome<std::string> answer);

  io::Loop& loop() const override { return store_.loop(); }
  const cluster::DestinationIndex& index() const override { return store_.destinations().index(); }
  bool complete() const override { return false; }
  std::optional<std::shared_ptr<const route::RouteTable>> Routes(const std::string& name) const override;
  std::optional<std::shared_ptr<const xds::L4Routes>> L4Routes(const std::string& name) const override;
  std::optional<cluster::ClusterPtr> Cluster(const std::string& name) const override;

  ConfigStore& store_;
  const ExplainScene scene_;
  const admin::ExplainQuery query_;
  Done done_;
  std::set<std::string> absent_;  // asked for in vain
  int tries_ = 0;
  Pending waiting_;
};

}  // namespace plait::proxy::worker
