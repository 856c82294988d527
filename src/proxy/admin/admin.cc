#include "proxy/admin/admin.h"

#include <re2/re2.h>

#include <array>
#include <list>

#include "core/base/encoding.h"
#include "core/base/log.h"
#include "core/base/strings.h"
#include "core/conn/http_client.h"
#include "core/telemetry/registry.h"
#include "proxy/admin/pages.h"

namespace plait::proxy::admin {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kPrometheus = "text/plain; version=0.0.4; charset=utf-8";

// The query of a target as decoded pairs.
class Parameters {
 public:
  explicit Parameters(std::string_view target) {
    for (const std::string_view pair : Split(http::QueryOf(target), '&')) {
      const auto [name, value] = SplitOnce(pair, '=');
      if (!name.empty()) all_.emplace_back(Decoded(name), Decoded(value.value_or("")));
    }
  }
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  std::string Get(std::string_view name) const {
    const std::string* value = Find(name);
    return value == nullptr ? "" : *value;
  }
  const std::vector<std::pair<std::string, std::string>>& all() const noexcept { return all_; }

 private:
  static std::string Decoded(std::string_view text) { return PercentDecode(text).value_or(std::string(text)); }
  const std::string* Find(std::string_view name) const {
    for (const auto& [key, value] : all_) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  std::vector<std::pair<std::string, std::string>> all_;
};

conn::Response Plain(std::string text, std::uint16_t status = 200) {
  return conn::TextResponse(status, std::move(text));
}
conn::Response JsonPage(std::string text) { return conn::TextResponse(200, std::move(text), kJson); }

conn::Response Prometheus(AdminState& state, bool used_only = false) {
  std::string text;
  state.Stats().Scrape({.format = telemetry::Format::kPrometheus, .used_only = used_only}, text);
  return conn::TextResponse(200, std::move(text), kPrometheus);
}

conn::Response Ready(AdminState& state) {
  const ServerState now = state.Info().state;
  return Plain(std::string(StateName(now)) + "\n", now == ServerState::kLive ? 200 : 503);
}

conn::Response Stats(AdminState& state, const Parameters& parameters) {
  const std::string format = parameters.Get("format");
  telemetry::ScrapeOptions options{.used_only = parameters.Has("usedonly")};
  if (format == "json") options.format = telemetry::Format::kJson;
  if (format == "prometheus") options.format = telemetry::Format::kPrometheus;
  std::shared_ptr<re2::RE2> filter;
  if (parameters.Has("filter")) {
    filter = std::make_shared<re2::RE2>(parameters.Get("filter"), re2::RE2::Quiet);
    if (!filter->ok()) return Plain("Invalid re2 regex: " + filter->error() + "\n", 400);
    options.filter = [filter](std::string_view name) {
      return re2::RE2::PartialMatch({name.data(), name.size()}, *filter);
    };
  }
  std::string text;
  state.Stats().Scrape(options, text);
  return conn::TextResponse(200, std::move(text),
                            format == "json"         ? kJson
                            : format == "prometheus" ? kPrometheus
                                                     : std::string_view("text/plain; charset=UTF-8"));
}

conn::Response Logging(const Parameters& parameters) {
  std::string spec;
  for (const auto& [name, value] : parameters.all()) {
    if (!spec.empty()) spec += ',';
    spec += name == "level" ? value : name == "paths" ? value : name + ":" + value;
  }
  if (!spec.empty() && !log::SetLevels(spec)) {
    return Plain("unknown logger or level in '" + spec +
                     "'; usage: /logging?level=<trace|debug|info|warn|error|off> or "
                     "/logging?<logger>=<level>\n\nactive loggers:\n" +
                     log::DescribeLevels(),
                 400);
  }
  return Plain("active loggers:\n" + log::DescribeLevels());
}

struct Page {
  std::string_view path;
  bool post;
  std::string_view help;
  conn::Response (*answer)(AdminState& state, const Parameters& parameters);
};
constexpr auto kPages = std::to_array<Page>({
    {"/certs", false, "print certs on machine",
     [](AdminState& s, const Parameters&) {
       return JsonPage(CertificatesJson(s.Certificates(), SystemClock().Wall()));
     }},
    {"/clusters", false, "upstream cluster status (?format=json)",
     [](AdminState& s, const Parameters& p) {
       return p.Get("format") == "json" ? JsonPage(ClustersJson(s.Clusters())) : Plain(ClustersText(s.Clusters()));
     }},
    {"/config_dump", false, "dump current configs (?resource=, ?mask=, ?name_regex=, ?include_eds)",
     [](AdminState& s, const Parameters& p) {
       auto dump = s.ConfigDump({.resource = p.Get("resource"),
                                 .mask = p.Get("mask"),
                                 .name_regex = p.Get("name_regex"),
                                 .include_eds = p.Has("include_eds")});
       return dump ? JsonPage(*std::move(dump)) : Plain(dump.error().ToString() + "\n", 400);
     }},
    {"/drain_listeners", true, "drain listeners (?graceful, ?inboundonly)",
     [](AdminState& s, const Parameters& p) {
       s.DrainListeners(p.Has("graceful"), p.Has("inboundonly"));
       return Plain("OK\n");
     }},
    {"/healthcheck/fail", true, "cause the server to fail health checks",
     [](AdminState& s, const Parameters&) { return s.SetHealthFailed(true), Plain("OK\n"); }},
    {"/healthcheck/ok", true, "cause the server to pass health checks",
     [](AdminState& s, const Parameters&) { return s.SetHealthFailed(false), Plain("OK\n"); }},
    {"/hot_restart_version", false, "print the hot restart compatibility version",
     [](AdminState& s, const Parameters&) { return Plain(s.Info().hot_restart_version + "\n"); }},
    {"/listeners", false, "print listener info (?format=json)",
     [](AdminState& s, const Parameters& p) {
       return p.Get("format") == "json" ? JsonPage(ListenersJson(s.Listeners())) : Plain(ListenersText(s.Listeners()));
     }},
    {"/logging", true, "query/change logging levels (?level=, ?<logger>=)",
     [](AdminState&, const Parameters& p) { return Logging(p); }},
    {"/memory", false, "print current allocation/heap usage",
     [](AdminState&, const Parameters&) { return JsonPage(MemoryJson()); }},
    {"/quitquitquit", true, "exit the server",
     [](AdminState& s, const Parameters&) { return s.Quit(), Plain("OK\n"); }},
    {"/ready", false, "print server state, return 200 if LIVE, otherwise return 503",
     [](AdminState& s, const Parameters&) { return Ready(s); }},
    {"/reset_counters", true, "reset all counters to zero",
     [](AdminState& s, const Parameters&) { return s.Stats().ResetCounters(), Plain("OK\n"); }},
    {"/server_info", false, "print server version/status information",
     [](AdminState& s, const Parameters&) { return JsonPage(ServerInfoJson(s.Info())); }},
    {"/stats", false, "print server stats (?filter=, ?usedonly, ?format=json|prometheus)",
     [](AdminState& s, const Parameters& p) { return Stats(s, p); }},
    {"/stats/prometheus", false, "print server stats in prometheus format (?usedonly)",
     [](AdminState& s, const Parameters& p) { return Prometheus(s, p.Has("usedonly")); }},
});

std::string Help() {
  std::string text = "admin commands are:\n  /: Admin home page\n";
  for (const Page& page : kPages) {
    text.append("  ").append(page.path).append(page.post ? " (POST): " : ": ").append(page.help).append("\n");
  }
  return text +
         "  /help: print out list of admin commands\n  /plait/renew (POST): renew the workload certificate now\n";
}

conn::Response WrongMethod(const http::RequestHead& head) {
  return Plain("Method " + head.method + " not allowed, POST required.", 405);
}

void Renew(AdminState& state, conn::Responder responder) {
  state.RenewCertificate([responder = std::move(responder)](Outcome<> done) mutable {
    responder.Send(done ? Plain("OK\n") : Plain(done.error().ToString() + "\n", 503));
  });
}

void Answer(AdminState& state, const conn::Request& request, conn::Responder responder) {
  const std::string_view path = http::PathOnly(request.head.path);
  const bool post = request.head.method == "POST";
  if (path == "/" || path == "/help") return responder.Send(Plain(Help()));
  if (path == "/plait/renew")
    return post ? Renew(state, std::move(responder)) : responder.Send(WrongMethod(request.head));
  for (const Page& page : kPages) {
    if (page.path != path) continue;
    if (page.post && !post) return responder.Send(WrongMethod(request.head));
    return responder.Send(page.answer(state, Parameters(request.head.path)));
  }
  responder.Send(Plain("invalid path. " + Help(), 404));
}

// Requests for merged metrics that wait for the application's part.
class Merger {
 public:
  Merger(io::Loop& loop, AdminState& state, ApplicationMetrics application)
      : loop_(loop), state_(state), application_(std::move(application)) {}

  void Answer(conn::Responder responder) {
    conn::FetchRequest request{
        .to = application_.address, .head = {}, .body = {}, .timeout = std::chrono::seconds(5), .connect = {}};
    request.head.method = "GET";
    request.head.path = application_.path;
    const auto place = waiting_.insert(waiting_.end(), Pending());
    *place = conn::Fetch(loop_, std::move(request),
                         [this, place, responder = std::move(responder)](Result<conn::FetchResponse> got) mutable {
                           conn::Response merged = Prometheus(state_);
                           const bool usable = got && got->head.status == 200;
                           merged.body += usable ? got->body : "# the application's metrics could not be read\n";
                           if (!merged.body.ends_with('\n')) merged.body += '\n';
                           responder.Send(std::move(merged));
                           waiting_.erase(place);
                         });
  }

 private:
  io::Loop& loop_;
  AdminState& state_;
  const ApplicationMetrics application_;
  std::list<Pending> waiting_;
};

}  // namespace

conn::OnRequest AdminHandler(AdminState& state) {
  return [&state](conn::Request request, conn::Responder responder) { Answer(state, request, std::move(responder)); };
}

conn::OnRequest MetricsHandler(AdminState& state) {
  return [&state](conn::Request request, conn::Responder responder) {
    const bool known = http::PathOnly(request.head.path) == "/stats/prometheus";
    responder.Send(known ? Prometheus(state) : Plain("not found\n", 404));
  };
}

conn::OnRequest ReadyHandler(AdminState& state) {
  return [&state](conn::Request request, conn::Responder responder) {
    const bool known = http::PathOnly(request.head.path) == "/healthz/ready";
    responder.Send(known ? Ready(state) : Plain("not found\n", 404));
  };
}

conn::OnRequest AgentHandler(io::Loop& loop, AdminState& state, std::optional<ApplicationMetrics> application) {
  auto merger = application ? std::make_unique<Merger>(loop, state, *std::move(application)) : nullptr;
  return [&state, merger = std::move(merger)](conn::Request request, conn::Responder responder) {
    const std::string_view path = http::PathOnly(request.head.path);
    if (path == "/stats/prometheus" || path == "/metrics") {
      return merger ? merger->Answer(std::move(responder)) : responder.Send(Prometheus(state));
    }
    if (path == "/healthz/ready") return responder.Send(Ready(state));
    if (path == "/quitquitquit" || path == "/drain") {
      if (!request.remote.ip.is_loopback()) return responder.Send(Plain("only from the loopback address\n", 403));
      if (request.head.method != "POST") return responder.Send(WrongMethod(request.head));
      if (path == "/drain")
        state.DrainListeners(/*graceful=*/true, /*inbound_only=*/false);
      else
        state.Quit();
      return responder.Send(Plain("OK\n"));
    }
    responder.Send(Plain("not found\n", 404));
  };
}

}  // namespace plait::proxy::admin
