#pragma once
// The resources that a control plane has for a proxy, as a file (`plaitd --resources-of`), for explanations without a
// mesh: {"node": {"id": ...}, "resources": [{"type", "name", "aliases": [...], "value": base64}]}. What is not in the
// file does not exist. DNS is not asked: endpoints that are names are hosts at 0.0.0.0. One thread.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/telemetry/registry.h"
#include "core/xds/bootstrap.h"
#include "proxy/admin/explain_page.h"
#include "proxy/cluster/cluster_set.h"
#include "proxy/cluster/destination_index.h"
#include "proxy/listen/compiled_listener.h"
#include "proxy/record/log_writer.h"
#include "proxy/session/explain.h"

namespace plait::proxy::worker {

class SavedConfig final : public session::ConfigView {
 public:
  // Errors say where in the file, and what of which resource.
  static Outcome<std::unique_ptr<SavedConfig>> Read(io::Loop& loop, const std::string& path);
  static Outcome<std::unique_ptr<SavedConfig>> Parse(io::Loop& loop, std::string_view text, const std::string& file);

  // As /plait/explain of that proxy would answer.
  Outcome<std::string> Answer(const admin::ExplainQuery& query) const;

  io::Loop& loop() const override { return loop_; }
  const cluster::DestinationIndex& index() const override { return destinations_.index(); }
  bool complete() const override { return true; }
  std::optional<std::shared_ptr<const route::RouteTable>> Routes(const std::string& name) const override;
  std::optional<std::shared_ptr<const xds::L4Routes>> L4Routes(const std::string& name) const override;
  std::optional<cluster::ClusterPtr> Cluster(const std::string& name) const override { return clusters_.Find(name); }

 private:
  explicit SavedConfig(io::Loop& loop);
  Outcome<> Take(std::string_view type_url, const std::string& name, std::vector<std::string> aliases,
                 const std::string& bytes);

  io::Loop& loop_;
  xds::Node node_;
  telemetry::Registry registry_;
  record::LogWriter logs_{record::LogFiles::kNone};
  cluster::ClusterStore clusters_;
  cluster::DestinationStore destinations_;
  std::vector<listen::ListenerPtr> listeners_;
  std::set<std::string> secrets_;  // names of those that the proxy would get
  std::map<std::string, std::shared_ptr<const route::RouteTable>> routes_;
  std::map<std::string, std::shared_ptr<const xds::L4Routes>> l4_routes_;
};

}  // namespace plait::proxy::worker
