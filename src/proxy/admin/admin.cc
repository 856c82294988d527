#include "proxy/admin/admin.h"

#include <re2/re2.h>

#include <array>

#include "core/base/strings.h"
#include "core/telemetry/registry.h"
#include "proxy/admin/logging_page.h"
#include "proxy/admin/pages.h"
#include "proxy/admin/parameters.h"
#include "proxy/admin/stats_page.h"

namespace plait::proxy::admin {
namespace {

conn::Response Plain(std::string text, std::uint16_t status = 200) {
  return conn::TextResponse(status, std::move(text));
}
conn::Response JsonPage(std::string text) { return conn::TextResponse(200, std::move(text), "application/json"); }

conn::Response Clusters(AdminState& state, const Parameters& parameters) {
  std::vector<ClusterInfo> clusters = state.Clusters();
  if (parameters.Has("filter")) {
    const re2::RE2 filter(parameters.Get("filter"), re2::RE2::Quiet);
    if (!filter.ok()) return Plain("Invalid re2 regex: " + filter.error() + "\n", 400);
    std::erase_if(clusters,
                  [&](const ClusterInfo& one) { return !re2::RE2::PartialMatch(one.cluster->name(), filter); });
  }
  return parameters.Get("format") == "json" ? JsonPage(ClustersJson(clusters)) : Plain(ClustersText(clusters));
}

conn::Response ConfigDump(AdminState& state, const Parameters& parameters) {
  auto dump = state.ConfigDump({.resource = parameters.Get("resource"),
                                .mask = parameters.Get("mask"),
                                .name_regex = parameters.Get("name_regex"),
                                .include_eds = parameters.Has("include_eds")});
  if (dump) return JsonPage(*std::move(dump));
  return Plain(dump.error().message + "\n", dump.error().code == Errc::kNotFound ? 404 : 400);
}

conn::Response Done(const Outcome<>& outcome) {
  return outcome ? Plain("OK\n") : Plain(outcome.error().ToString() + "\n", 503);
}

// Texts and statuses are Envoy's without an admin layer.
conn::Response RuntimeModify(const Parameters& parameters) {
  if (parameters.all().empty()) return Plain("usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n", 400);
  return Plain(
      "No admin layer specified: Plait has no runtime. What a runtime key would change stands in the configuration.\n",
      503);
}

enum class Method : std::uint8_t {
  kAny,
  kPost,          // it changes something
  kPostToChange,  // without parameters it only shows
};
struct ParameterHelp {
  std::string_view name, help;
};
struct Page {
  std::string_view path;
  Method method;
  std::string_view help;
  std::array<ParameterHelp, 6> parameters;  // those without a name are none
  conn::Response (*answer)(AdminState& state, const Parameters& parameters);
};
constexpr ParameterHelp kFormat{"format", "File format to use; One of (text, json)"};
constexpr ParameterHelp kUsedOnly{"usedonly", "Only include stats that have been written by system since restart"};
constexpr ParameterHelp kStatsFilter{"filter", "Regular expression (Google re2) for filtering stats"};
constexpr ParameterHelp kInvertFilter{"invert_filter", "Invert the filter regex"};
constexpr ParameterHelp kStatsType{"type", "Stat types to include; One of (All, Counters, Histograms, Gauges)"};
constexpr ParameterHelp kBuckets{"histogram_buckets",
                                 "Histogram bucket display mode; One of (cumulative, disjoint, detailed, summary)"};

constexpr auto kPages = std::to_array<Page>({
    {"/certs",
     Method::kAny,
     "print certs on machine",
     {},
     [](AdminState& s, const Parameters&) {
       return JsonPage(CertificatesJson(s.Certificates(), SystemClock().Wall()));
     }},
    {"/clusters",
     Method::kAny,
     "upstream cluster status",
     {{{"filter", "Regular expression (Google re2) for filtering clusters by name"}, kFormat}},
     Clusters},
    {"/config_dump",
     Method::kAny,
     "dump current configs",
     {{{"resource", "The resource to dump: a list of a section, such as dynamic_active_clusters"},
       {"mask", "Fields to keep of each section, or of each element with resource: a.b,c"},
       {"name_regex", "Dump only what has a name that matches this regular expression"},
       {"include_eds", "Dump endpoints, too"}}},
     ConfigDump},
    {"/drain_listeners",
     Method::kPost,
     "drain listeners",
     {{{"graceful", "Go on accepting until the drain time is over"},
       {"skip_exit", "Drain the connections but never stop the listeners"},
       {"inboundonly", "Only listeners with traffic_direction INBOUND"}}},
     [](AdminState& s, const Parameters& p) {
       s.DrainListeners(
           {.graceful = p.Has("graceful"), .inbound_only = p.Has("inboundonly"), .skip_exit = p.Has("skip_exit")});
       return Plain("OK\n");
     }},
    {"/healthcheck/fail",
     Method::kPost,
     "cause the server to fail health checks",
     {},
     [](AdminState& s, const Parameters&) { return s.SetHealthFailed(true), Plain("OK\n"); }},
    {"/healthcheck/ok",
     Method::kPost,
     "cause the server to pass health checks",
     {},
     [](AdminState& s, const Parameters&) { return s.SetHealthFailed(false), Plain("OK\n"); }},
    {"/hot_restart_version",
     Method::kAny,
     "print the hot restart compatibility version",
     {},
     [](AdminState& s, const Parameters&) { return Plain(s.Info().hot_restart_version); }},
    {"/listeners",
     Method::kAny,
     "print listener info",
     {{kFormat}},
     [](AdminState& s, const Parameters& p) {
       return p.Get("format") == "json" ? JsonPage(ListenersJson(s.Listeners())) : Plain(ListenersText(s.Listeners()));
     }},
    {"/logging",
     Method::kPostToChange,
     "query/change logging levels",
     {{{"paths", "Change several loggers: <name1>:<level1>,<name2>:<level2>"},
       {"level", "Change all loggers; One of (trace, debug, info, warning, error, critical, off)"},
       {"<name>", "Change one logger: /logging?http2=trace"}}},
     [](AdminState&, const Parameters& p) { return LoggingPage(p); }},
    {"/memory",
     Method::kAny,
     "print current allocation/heap usage",
     {},
     [](AdminState&, const Parameters&) { return JsonPage(MemoryJson()); }},
    {"/quitquitquit",
     Method::kPost,
     "exit the server",
     {},
     [](AdminState& s, const Parameters&) { return s.Quit(), Plain("OK\n"); }},
    {"/ready",
     Method::kAny,
     "print server state, return 200 if LIVE, otherwise return 503",
     {},
     [](AdminState& s, const Parameters&) { return ReadyPage(s); }},
    {"/reopen_logs",
     Method::kPost,
     "reopen access logs",
     {},
     [](AdminState& s, const Parameters&) { return Done(s.ReopenLogs()); }},
    {"/reset_counters",
     Method::kPost,
     "reset all counters to zero",
     {},
     [](AdminState& s, const Parameters&) { return s.Stats().ResetCounters(), Plain("OK\n"); }},
    {"/runtime",
     Method::kAny,
     "print runtime values (there are none)",
     {},
     [](AdminState&, const Parameters&) { return JsonPage(RuntimeJson()); }},
    {"/runtime_modify",
     Method::kPost,
     "is refused: there is no runtime",
     {},
     [](AdminState&, const Parameters& p) { return RuntimeModify(p); }},
    {"/server_info",
     Method::kAny,
     "print server version/status information",
     {},
     [](AdminState& s, const Parameters&) { return JsonPage(ServerInfoJson(s.Info())); }},
    {"/stats",
     Method::kAny,
     "print server stats",
     {{kUsedOnly,
       kStatsFilter,
       kInvertFilter,
       kStatsType,
       {"format", "Format to use; One of (text, json, prometheus)"},
       kBuckets}},
     StatsPage},
    {"/stats/prometheus",
     Method::kAny,
     "print server stats in prometheus format",
     {{kUsedOnly, kStatsFilter, kInvertFilter, kStatsType, kBuckets}},
     PrometheusPage},
});

std::string Help() {
  std::string text = "admin commands are:\n  /: Admin home page\n  /help: print out list of admin commands\n";
  for (const Page& page : kPages) {
    text.append("  ").append(page.path).append(page.method == Method::kAny ? ": " : " (POST): ");
    text.append(page.help).append("\n");
    for (const ParameterHelp& one : page.parameters) {
      if (!one.name.empty()) text.append("      ").append(one.name).append(": ").append(one.help).append("\n");
    }
  }
  return text +
         "  /plait/explain: what would become of a request (?to=, ?port=, ?method=, ?path=)\n"
         "  /plait/renew (POST): renew the workload certificate now\n";
}

// As Envoy: what an admin interface says is of this moment, and never HTML that was not meant to be.
void Send(conn::Responder& responder, conn::Response response) {
  response.headers.Add("cache-control", "no-cache, max-age=0");
  response.headers.Add("x-content-type-options", "nosniff");
  responder.Send(std::move(response));
}

conn::Response WrongMethod(const http::RequestHead& head) {
  return Plain("Method " + head.method + " not allowed, POST required.", 405);
}

void Renew(AdminState& state, conn::Responder responder) {
  state.RenewCertificate(
      [responder = std::move(responder)](const Outcome<>& done) mutable { Send(responder, Done(done)); });
}

void ExplainPage(AdminState& state, const http::RequestHead& head, conn::Responder responder) {
  auto query = ReadExplainQuery(http::QueryOf(head.path));
  if (!query) return Send(responder, Plain(query.error().ToString() + "\n", 400));
  state.ExplainRequest(*std::move(query), [responder = std::move(responder)](Outcome<std::string> answer) mutable {
    Send(responder, answer ? JsonPage(*std::move(answer)) : Plain(answer.error().ToString() + "\n", 400));
  });
}

void Answer(AdminState& state, const conn::Request& request, conn::Responder responder) {
  const std::string_view path = http::PathOnly(request.head.path);
  const bool post = request.head.method == "POST";
  if (path == "/" || path == "/help") return Send(responder, Plain(Help()));
  if (path == "/plait/renew")
    return post ? Renew(state, std::move(responder)) : Send(responder, WrongMethod(request.head));
  if (path == "/plait/explain") return ExplainPage(state, request.head, std::move(responder));
  for (const Page& page : kPages) {
    if (page.path != path) continue;
    const Parameters parameters(request.head.path);
    const bool changes =
        page.method == Method::kPost || (page.method == Method::kPostToChange && !parameters.all().empty());
    if (changes && !post) return Send(responder, WrongMethod(request.head));
    return Send(responder, page.answer(state, parameters));
  }
  Send(responder, Plain("invalid path. " + Help(), 404));
}

}  // namespace

conn::Response ReadyPage(AdminState& state) {
  const ServerState now = state.Info().state;
  return Plain(std::string(StateName(now)) + "\n", now == ServerState::kLive ? 200 : 503);
}

conn::OnRequest AdminHandler(AdminState& state) {
  return [&state](const conn::Request& request, conn::Responder responder) {
    Answer(state, request, std::move(responder));
  };
}

conn::OnRequest MetricsHandler(AdminState& state) {
  return [&state](const conn::Request& request, conn::Responder responder) {
    const bool known = http::PathOnly(request.head.path) == "/stats/prometheus";
    responder.Send(known ? PrometheusPage(state, Parameters(request.head.path)) : Plain("not found\n", 404));
  };
}

conn::OnRequest ReadyHandler(AdminState& state) {
  return [&state](const conn::Request& request, conn::Responder responder) {
    const bool known = http::PathOnly(request.head.path) == "/healthz/ready";
    responder.Send(known ? ReadyPage(state) : Plain("not found\n", 404));
  };
}

}  // namespace plait::proxy::admin
