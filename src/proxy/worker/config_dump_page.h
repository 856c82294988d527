#pragma once
// What /config_dump shows, gathered from the stores of the process. Main thread.
#include "core/xds/bootstrap.h"
#include "proxy/admin/admin_state.h"
#include "proxy/worker/config_store.h"
#include "proxy/worker/control_link.h"

namespace plait::proxy::worker {

struct DumpSources {
  const xds::Bootstrap& bootstrap;
  WallTime started{};
  const ConfigStore& store;
  const Secrets& secrets;
  const ControlLink* link = nullptr;  // null: static resources only
};

Outcome<std::string> DumpPage(const DumpSources& from, const admin::ConfigDumpQuery& query);

}  // namespace plait::proxy::worker
