#include "local/hook.h"

#include "core/base/strings.h"
#include "core/conn/http_client.h"

namespace plait::local {
namespace {

using OnDone = std::move_only_function<void(const std::string&)>;

constexpr Duration kNoLimit = std::chrono::years(1);

Pending FetchHook(io::Loop& loop, ProbeTarget& target, const HookSpec& hook, OnDone done) {
  conn::FetchRequest request;
  request.stream = ConnectForHttp(loop, target, hook.port, hook.https, kNoLimit);
  if (!request.stream)
    return loop.After(Duration::zero(), [done = std::move(done)]() mutable { done("cannot connect"); });
  request.timeout = kNoLimit;
  request.protocol = conn::Protocol::kHttp1;
  request.head.method = "GET";
  request.head.path = hook.path;
  request.head.scheme = hook.https ? "https" : "http";
  request.head.authority = target.Host() + ":" + std::to_string(hook.port.value);
  request.head.headers.Add("user-agent", "kube-lifecycle/1.33");
  SetHeaders(hook.headers, request.head);
  return conn::Fetch(loop, std::move(request), [done = std::move(done)](Result<conn::FetchResponse> response) mutable {
    done(response ? "" : response.error().detail);
  });
}

}  // namespace

Pending RunHook(io::Loop& loop, ProbeTarget& target, const HookSpec& hook, const std::string& container, OnDone done) {
  switch (hook.kind) {
    case HookSpec::Kind::kExec:
      return target.RunInside(container, hook.argv, [done = std::move(done)](int code) mutable {
        done(code == 0 ? "" : "the command ended with exit code " + std::to_string(code));
      });
    case HookSpec::Kind::kHttp: return FetchHook(loop, target, hook, std::move(done));
    case HookSpec::Kind::kSleep: return loop.After(hook.sleep, [done = std::move(done)]() mutable { done(""); });
    case HookSpec::Kind::kTcp: break;
  }
  return loop.After(Duration::zero(), [done = std::move(done)]() mutable {
    done("Kubernetes runs no hook of tcpSocket; use exec, httpGet or sleep");
  });
}

}  // namespace plait::local
