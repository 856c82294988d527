// plait status: the mesh on one screen.
#include <nlohmann/json.hpp>

#include "cli/gateways.h"
#include "cli/tables.h"
#include "cli/verbs.h"
#include "cli/workloads.h"

namespace plait::cli {
namespace {

int Status(const MeshOptions& mesh) {
  Outcome<local::ControlClient> client = ConnectTo(mesh);
  if (!client) return Report(client.error());
  Outcome<std::string> text = client->StatusText();
  if (!text) return Report(text.error());
  Outcome<local::MeshStatus> status = local::DecodeMeshStatus(*text);
  if (!status) return Report(status.error());
  Output output{.table = WorkloadTable(*status), .data = Data(Json::parse(*text, nullptr, false))};
  for (const local::WorkloadStatus& w : status->workloads) output.names.push_back("pod/" + w.name + "." + w.ns);
  std::string app;
  if (IsTold(mesh.format)) {
    const std::vector<GatewayDump> gateways = AskGateways(mesh, *status);
    const std::vector<WayIn> ways = WaysIn(gateways, status->gateway_ports);
    // The first that is a URL of the port that the mesh names; else its name alone.
    for (const WayIn& way : ways)
      if (app.empty() && !status->url.empty() && way.command.starts_with(status->url)) app = way.command;
    for (const GatewayDump& gateway : gateways)
      for (const std::string& failure : ListenerFailures(*gateway.dump))
        status->messages.push_back(NotServed(gateway.workload, failure));
  }
  if (app.empty()) app = status->url;
  output.text = "mesh " + status->name + ": " + status->state + ", mode " + status->mode + " (" + status->mode_reason +
                "), directory " + status->directory + "\n" + (app.empty() ? "" : "app " + app + "   ") + "debug " +
                status->debug_url + "\n";
  for (const std::string& one : status->defaults) output.text += "default " + one + "\n";
  for (const std::string& message : status->messages) output.text += "! " + message + "\n";
  output.text += "\n" + TableText(output.table, mesh.format == Format::kWide);
  return Show(mesh.format, output);
}

}  // namespace

Command StatusCommand(MeshOptions& mesh) {
  return {.name = "status",
          .summary = "show the mesh and its workloads",
          .examples = {{"status -o json", "with url, debug_url, addresses and process ids"}},
          .run = [&mesh] { return Status(mesh); }};
}

}  // namespace plait::cli
