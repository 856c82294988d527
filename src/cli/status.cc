// plait status: the mesh on one screen.  plait version.
#include <stdio.h>

#include <nlohmann/json.hpp>

#include "cli/fetch.h"
#include "cli/tables.h"
#include "cli/verbs.h"
#include "cli/workloads.h"

#ifndef PLAIT_VERSION
#define PLAIT_VERSION "0.1.0"
#endif

namespace plait::cli {

int Status(const MeshOptions& mesh) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  Outcome<std::string> text = client->StatusText();
  if (!text) return Report(text.error());
  Outcome<local::MeshStatus> status = local::DecodeMeshStatus(*text);
  if (!status) return Report(status.error());
  if (mesh.format == Format::kTable || mesh.format == Format::kShort) {
    printf("mesh %s: %s, mode %s (%s), directory %s\n", status->name.c_str(), status->state.c_str(),
           status->mode.c_str(), status->mode_reason.c_str(), status->directory.c_str());
    if (!status->url.empty()) printf("app %s   ", status->url.c_str());
    printf("debug %s\n", status->debug_url.c_str());
    for (const std::string& message : status->messages) printf("! %s\n", message.c_str());
    printf("\n");
  }
  Render(mesh.format, WorkloadTable(*status), Json::parse(*text, nullptr, false));
  return kDone;
}

int Version(const MeshOptions& mesh) {
  Json data = {{"client", PLAIT_VERSION}};
  Table table{{"COMPONENT", "VERSION"}, {{"plait", PLAIT_VERSION}}};
  // The control plane's, if a mesh runs.
  if (Outcome<local::ControlClient> client = ConnectTo(mesh)) {
    if (Outcome<local::MeshStatus> status = client->Status()) {
      if (Outcome<std::string> text = HttpGet(status->debug_url + "/version")) {
        Json answer = Json::parse(*text, nullptr, false);
        const std::string version = answer.is_object() ? answer.value("version", *text) : *text;
        data["control_plane"] = version;
        table.rows.push_back({"plaitd", version});
      }
    }
  }
  Render(mesh.format, table, data);
  return kDone;
}

}  // namespace plait::cli
