// plait-demo-app ROLE: the processes of the sample applications. They know nothing of a mesh.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/io/stop_signal.h"
#include "samples/demo-app/load.h"
#include "samples/demo-app/mysql_protocol.h"
#include "samples/demo-app/mysqldb.h"
#include "samples/demo-app/roles.h"
#include "samples/demo-app/tcp_echo.h"

namespace plait::demo {
namespace {

struct Flags {
  std::uint16_t port = 9080;
  std::string address;
  RoleOptions role;
  std::uint32_t delay_ms = 0;
  TcpEchoOptions tcp;
  std::string authentication_plugin;
  LoadOptions load;
  std::string url;
  std::vector<std::string> headers;
  double seconds = 0;
};

int Complain(const std::string& text) {
  std::fprintf(stderr, "plait-demo-app: %s\n", text.c_str());
  return 1;
}

Outcome<io::UniqueFd> Listen(const Flags& flags) {
  if (!flags.address.empty()) {
    const Result<io::IpAddress> ip = io::IpAddress::Parse(flags.address);
    if (!ip) return Explain(Errc::kInvalidInput, "--address " + flags.address + " is not an IP address");
    return io::ListenOn({.ip = *ip, .port = Port{flags.port}, .unix_path = {}});
  }
  const std::uint16_t port = flags.port;
  auto both = io::ListenOn(*io::SocketAddress::Parse("[::]:" + std::to_string(port)));
  if (both) return both;
  return io::ListenOn(*io::SocketAddress::Parse("0.0.0.0:" + std::to_string(port)));  // a host without IPv6
}

int Serve(io::Loop& loop, Role& role, const Flags& flags) {
  auto listening = Listen(flags);
  if (!listening) return Complain(listening.error().ToString());
  conn::HttpServer server(loop, {}, [&role](conn::Request request, conn::Responder responder) {
    role.Handle(std::move(request), std::move(responder));
  });
  server.Listen(std::move(*listening));
  // As a well-behaved application: requests that run are answered before it ends.
  const io::StopSignal stop(loop, [&] { server.Drain([&loop] { loop.Stop(); }); });
  loop.Run();
  return 0;
}

int Idle(io::Loop& loop) {
  const io::StopSignal stop(loop, [&loop] { loop.Stop(); });
  loop.Run();
  return 0;
}

int EchoTcp(io::Loop& loop, const Flags& flags) {
  auto listening = Listen(flags);
  if (!listening) return Complain(listening.error().ToString());
  const TcpEcho server(loop, std::move(*listening), flags.tcp);
  return Idle(loop);
}

int ServeMysql(io::Loop& loop, const Flags& flags) {
  auto listening = Listen(flags);
  if (!listening) return Complain(listening.error().ToString());
  const mysql::Mysqldb server(loop, std::move(*listening), Environment("MYSQL_ROOT_PASSWORD"));
  return Idle(loop);
}

// URL and headers of what a client role sends, into flags.load.
Outcome<> ReadTarget(Flags& flags) {
  const auto url = ParseUrl(flags.url);
  if (!url) return Explain(Errc::kInvalidInput, flags.url + ": " + url.error().detail);
  flags.load.url = *url;
  for (const std::string& header : flags.headers) {
    const std::size_t colon = header.find(':');
    const std::size_t value = header.find_first_not_of(' ', colon + 1);
    if (colon == std::string::npos || value == std::string::npos)
      return Explain(Errc::kInvalidInput, "header \"" + header + "\" is not name:value");
    flags.load.headers.Add(header.substr(0, colon), header.substr(value));
  }
  return {};
}

// One request; what came back, as JSON: status (0: no answer), body, error.
int RunGet(io::Loop& loop, Flags flags) {
  if (const Outcome<> read = ReadTarget(flags); !read) return Complain(read.error().ToString());
  std::optional<Answer> answer;
  const Pending pending = Get(loop, flags.load.url, flags.load.headers, flags.load.timeout,
                              [&answer](Answer got) { answer = std::move(got); });
  while (!answer) loop.RunOnce(std::chrono::milliseconds(100));
  const nlohmann::ordered_json out{{"status", answer->status}, {"body", answer->body}, {"error", answer->error}};
  std::printf("%s\n", out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  return answer->status > 0 && answer->status < 500 ? 0 : 1;
}

int RunLoad(io::Loop& loop, Flags flags) {
  if (const Outcome<> read = ReadTarget(flags); !read) return Complain(read.error().ToString());
  flags.load.duration = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags.seconds));
  const Url& url = flags.load.url;
  const auto addresses = Resolve(url.host, url.port);
  if (!addresses) return Complain("cannot resolve " + url.host);
  Load load(loop, flags.load, *addresses);
  const io::StopSignal stop(loop, [&load] { load.Stop(); });
  while (!load.done()) loop.RunOnce(std::chrono::milliseconds(100));
  std::printf("%s\n", load.report().ToJson().c_str());
  return load.report().failed() == 0 ? 0 : 1;
}

void AddLoadOptions(CLI::App& load, Flags& flags) {
  load.add_option("--count", flags.load.count, "how many requests; 0: until the time is over");
  load.add_option("--duration", flags.seconds, "seconds");
  load.add_option("--connections", flags.load.connections, "kept connections")->capture_default_str();
  load.add_option("--rate", flags.load.rate, "requests a second; 0: the next when the last was answered");
  load.add_option("--new-per-second", flags.load.new_per_second, "further requests a second on new connections");
  load.add_option("--method", flags.load.method, "request method")->capture_default_str();
  load.add_option("--body", flags.load.body, "request body");
  load.add_option("--count-by", flags.load.count_by, "count answers by this response header");
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app{"The processes of Plait's sample applications."};
  app.require_subcommand(1);
  const auto server = [&](const char* name, const char* about) {
    CLI::App* role = app.add_subcommand(name, about);
    role->add_option("--port", flags.port, "port to serve on")->capture_default_str();
    role->add_option("--address", flags.address, "IP address to serve on, instead of all");
    return role;
  };
  CLI::App* productpage = server("productpage", "the page of bookinfo");
  CLI::App* details = server("details", "facts about the book");
  CLI::App* reviews = server("reviews", "reviews; v1 no stars, v2 black, v3 red");
  CLI::App* ratings = server("ratings", "stars of the reviewers");
  CLI::App* echo = server("echo", "answers with the request that it got");
  CLI::App* tcp = server("tcp-echo", "answers bytes with themselves");
  CLI::App* mysqldb = server("mysqldb", "MySQL with bookinfo's ratings, for root with MYSQL_ROOT_PASSWORD");
  CLI::App* client = app.add_subcommand("client", "waits, so that commands can be run beside it");
  CLI::App* load = app.add_subcommand("load", "sends requests and prints what came back as JSON");
  CLI::App* get = app.add_subcommand("get", "sends one request and prints the answer as JSON");
  for (CLI::App* role : {details, reviews, ratings, echo})
    role->add_option("--version", flags.role.version, "which version it is");
  for (CLI::App* role : {ratings, echo})
    role->add_option("--fail-every", flags.role.fail_every, "503 to every Nth request");
  details
      ->add_option("--book-service", flags.role.book_service,
                   "HOST[:PORT], asked when ENABLE_EXTERNAL_BOOK_SERVICE=true")
      ->capture_default_str();
  echo->add_option("--delay-ms", flags.delay_ms, "wait before each answer");
  tcp->add_option("--greeting", flags.tcp.greeting, "speak first with this text");
  tcp->add_option("--prefix", flags.tcp.prefix, "put this before each answer");
  mysqldb
      ->add_option("--default-authentication-plugin", flags.authentication_plugin,
                   "as upstream's manifest says to its image; there is but this one")
      ->check(CLI::IsMember({std::string(mysql::kNativePassword)}));
  for (CLI::App* role : {load, get}) {
    role->add_option("url", flags.url, "http://host[:port][/path]")->required();
    role->add_option("-H,--header", flags.headers, "name:value");
  }
  AddLoadOptions(*load, flags);
  CLI11_PARSE(app, argc, argv);
  if (mysqldb->parsed() && mysqldb->count("--port") == 0) flags.port = 3306;
  flags.role.delay = std::chrono::milliseconds(flags.delay_ms);

  io::Loop loop;
  std::unique_ptr<Role> role;
  if (productpage->parsed()) role = NewProductPage(loop);
  if (details->parsed()) role = NewDetails(loop, flags.role);
  if (reviews->parsed()) role = NewReviews(loop, flags.role);
  if (ratings->parsed()) role = NewRatings(loop, flags.role);
  if (echo->parsed()) role = NewEcho(loop, flags.role);
  if (role) return Serve(loop, *role, flags);
  if (tcp->parsed()) return EchoTcp(loop, flags);
  if (mysqldb->parsed()) return ServeMysql(loop, flags);
  if (client->parsed()) return Idle(loop);
  return get->parsed() ? RunGet(loop, flags) : RunLoad(loop, flags);
}

}  // namespace
}  // namespace plait::demo

int main(int argc, char** argv) { return plait::demo::Main(argc, argv); }
