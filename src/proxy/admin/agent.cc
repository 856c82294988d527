#include "proxy/admin/agent.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <list>

#include "core/base/proxy_ports.h"
#include "core/base/strings.h"
#include "core/conn/http_client.h"
#include "core/telemetry/registry.h"
#include "core/yaml/parse.h"
#include "proxy/admin/admin.h"
#include "proxy/admin/parameters.h"
#include "proxy/admin/stats_page.h"

namespace plait::proxy::admin {
namespace {

constexpr std::size_t kMostBytes = 8 * 1024 * 1024;
constexpr std::size_t kMostScrapes = 16;  // at a time: each may hold kMostBytes
constexpr Duration kDefaultTimeout = std::chrono::seconds(5);
constexpr Duration kLongestTimeout = std::chrono::seconds(30);

enum AgentStat : std::size_t { kScrapes, kFailures };
constexpr std::array<telemetry::StatDef, 2> kStats = {{
    {.name = "scrapes_total"},
    {.name = "scrape_failures_total", .label = "type", .label_value = "application"},
}};
constexpr telemetry::Schema kAgent{"", "istio_agent_", {}, kStats};

conn::Response Plain(std::string text, std::uint16_t status = 200) {
  return conn::TextResponse(status, std::move(text));
}

// How long Prometheus waits for us, less what the way back takes.
Duration TimeoutOf(const http::RequestHead& head) {
  const std::string_view text = head.headers.Get("x-prometheus-scrape-timeout-seconds").value_or("");
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(seconds > 0)) return kDefaultTimeout;
  const double most = std::chrono::duration<double>(kLongestTimeout).count();
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(seconds, most) * 0.9));
}

// Requests for merged metrics that wait for the application's part.
class Merger {
 public:
  Merger(io::Loop& loop, AdminState& state, ApplicationMetrics application)
      : loop_(loop), state_(state), application_(std::move(application)), stats_(state.Stats().NewGroup(kAgent, {})) {}

  void Answer(const http::RequestHead& head, conn::Responder responder) {
    stats_.Add(kScrapes);
    if (scrapes_.size() >= kMostScrapes) {
      stats_.Add(kFailures);
      return responder.Send(Merged("# the application's metrics were left out: too many scrapes at a time\n"));
    }
    const auto scrape = scrapes_.emplace(scrapes_.end());
    scrape->responder.emplace(std::move(responder));
    scrape->timeout = TimeoutOf(head);
    Ask(scrape, "127.0.0.1");
  }

 private:
  struct Scrape {
    std::optional<conn::Responder> responder;
    Duration timeout{};
    Pending fetch;
  };
  using Place = std::list<Scrape>::iterator;

  void Ask(Place scrape, const char* host) {
    conn::FetchRequest request{.to = {.ip = *io::IpAddress::Parse(host), .port = application_.port, .unix_path = {}},
                               .stream = nullptr,
                               .head = {},
                               .body = {},
                               .timeout = scrape->timeout,
                               .max_body = kMostBytes,
                               .connect = {}};
    request.head.method = "GET";
    request.head.path = application_.path;
    // The proxy's own part has this format, and the two are one document.
    request.head.headers.Add("accept", "text/plain;version=0.0.4");
    scrape->fetch = conn::Fetch(loop_, std::move(request),
                                [this, scrape, first = host == std::string_view("127.0.0.1")](
                                    Result<conn::FetchResponse> got) { OnAnswer(scrape, first, std::move(got)); });
  }

  void OnAnswer(Place scrape, bool first, Result<conn::FetchResponse> got) {
    // An application may listen on one family only.
    if (!got && first && got.error().code == Errc::kUnavailable) return Ask(scrape, "::1");
    std::string part;
    if (got && got->head.status == 200) {
      part = std::move(got->body);
    } else {
      stats_.Add(kFailures);
      part = "# the application's metrics at port " + std::to_string(application_.port.value) + ", path " +
             application_.path + ", could not be read: " +
             (got ? "status " + std::to_string(got->head.status) : std::string(got.error().detail)) + "\n";
    }
    if (!part.ends_with('\n')) part += '\n';
    scrape->responder->Send(Merged(part));
    scrapes_.erase(scrape);
  }

  conn::Response Merged(std::string_view application) {
    conn::Response merged = PrometheusPage(state_, Parameters(""));
    merged.body += application;
    return merged;
  }

  io::Loop& loop_;
  AdminState& state_;
  const ApplicationMetrics application_;
  const telemetry::Group stats_;
  std::list<Scrape> scrapes_;
};

conn::Response Command(AdminState& state, const conn::Request& request, std::string_view path) {
  if (!request.remote.ip.is_loopback()) return Plain("only from the loopback address\n", 403);
  if (request.head.method != "POST")
    return Plain("Method " + request.head.method + " not allowed, POST required.", 405);
  if (path == "/drain") {
    // As Istio's agent before a pod ends: callers are asked to go, and are served until then.
    state.DrainListeners({.graceful = true, .inbound_only = true, .skip_exit = true});
  } else {
    state.Quit();
  }
  return Plain("OK\n");
}

}  // namespace

Outcome<std::optional<ApplicationMetrics>> ReadScrapeAnnotations(std::string_view json) {
  if (Trim(json).empty()) return std::nullopt;
  const auto tree = yaml::ParseOne(json, "ISTIO_PROMETHEUS_ANNOTATIONS");
  if (!tree) return std::unexpected(tree.error());
  if (!tree->is_mapping())
    return Explain(Errc::kInvalidInput, "ISTIO_PROMETHEUS_ANNOTATIONS is no JSON object",
                   R"(write it as {"scrape":"true","port":"9080","path":"/metrics"})");
  if (tree->FindText("scrape") == "false") return std::nullopt;
  ApplicationMetrics out;
  if (const std::string_view text = tree->FindText("port"); !text.empty()) {
    const auto port = ParseUint(text);
    if (!port || *port == 0 || *port > 65535)
      return Explain(Errc::kInvalidInput,
                     "ISTIO_PROMETHEUS_ANNOTATIONS: port \"" + std::string(text) + "\" is not a number of 1 to 65535",
                     "correct the annotation prometheus.io/port of the pod");
    out.port = Port{static_cast<std::uint16_t>(*port)};
    if (out.port == proxy_ports::kAdmin || proxy_ports::Has(proxy_ports::kOpen, out.port))
      return Explain(
          Errc::kInvalidInput,
          "ISTIO_PROMETHEUS_ANNOTATIONS: port " + std::string(text) +
              " is the proxy's own, whose metrics are merged anyway",
          "set the annotation prometheus.io/port of the pod to the port where the application has its own, or "
          "remove it");
  }
  if (const std::string_view path = tree->FindText("path"); !path.empty())
    out.path = (path.starts_with('/') ? "" : "/") + std::string(path);
  return out;
}

conn::OnRequest AgentHandler(io::Loop& loop, AdminState& state, std::optional<ApplicationMetrics> application) {
  auto merger = application ? std::make_unique<Merger>(loop, state, *std::move(application)) : nullptr;
  return [&state, merger = std::move(merger)](const conn::Request& request, conn::Responder responder) {
    const std::string_view path = http::PathOnly(request.head.path);
    if (path == "/stats/prometheus" || path == "/metrics") {
      return merger ? merger->Answer(request.head, std::move(responder))
                    : responder.Send(PrometheusPage(state, Parameters("")));
    }
    if (path == "/healthz/ready") return responder.Send(ReadyPage(state));
    if (path == "/quitquitquit" || path == "/drain") return responder.Send(Command(state, request, path));
    responder.Send(Plain("not found\n", 404));
  };
}

}  // namespace plait::proxy::admin
