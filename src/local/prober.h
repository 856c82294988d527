#pragma once
// Runs one probe of a container, as the kubelet does, from inside the workload's network namespace and past its
// capture (mark 0x539), so that policy and mutual TLS never stand between. One loop thread.
#include <functional>
#include <memory>
#include <string>

#include "core/base/pending.h"
#include "core/http/message.h"
#include "core/io/loop.h"
#include "core/io/stream.h"
#include "core/io/timer.h"
#include "local/desired.h"

namespace plait::local {

// What a probe needs from the pod that it belongs to.
class ProbeTarget {
 public:
  virtual ~ProbeTarget() = default;
  // A connection to the workload's own address, made in its namespace; null when that is impossible.
  virtual std::unique_ptr<io::Stream> ConnectTo(Port port, Duration timeout) = 0;
  // Runs a command in the container; tells its exit code. Dropping the handle ends the command.
  virtual Pending RunInside(const std::string& container, const std::vector<std::string>& argv,
                            std::move_only_function<void(int)> done) = 0;
  virtual std::string Host() const = 0;  // the address, for the Host header
};

// A stream for HTTP to a port of the workload; null when that is impossible. As for the kubelet, any certificate is
// good.
std::unique_ptr<io::Stream> ConnectForHttp(io::Loop& loop, ProbeTarget& target, Port port, bool https,
                                           Duration timeout);
// Header fields that a manifest asks for; Host is the authority.
void SetHeaders(const std::vector<std::pair<std::string, std::string>>& headers, http::RequestHead& head);

class Prober {
 public:
  // `eager`: until the first success it asks more often than the period, from 10 ms on (readiness and startup): a mesh
  // is ready when its workloads are, not a period later. Failures count once a period all the same.
  Prober(io::Loop& loop, ProbeTarget& target, ProbeSpec spec, bool eager,
         std::move_only_function<void(bool healthy, const std::string& why)> on_change);
  // Begins after the initial delay. `on_change` is told when the verdict changes, first at the first verdict.
  void Start();
  bool healthy() const noexcept { return healthy_; }
  const std::string& last_failure() const noexcept { return last_failure_; }  // empty after a success

 private:
  void Probe();
  void ProbeHttp(bool grpc);
  void ProbeTcp();
  void Done(bool success, std::string why);
  void CountFailure();
  class TcpAttempt;

  io::Loop& loop_;
  ProbeTarget& target_;
  const ProbeSpec spec_;
  const bool eager_;
  std::move_only_function<void(bool, const std::string&)> on_change_;
  int successes_ = 0;
  int failures_ = 0;
  bool healthy_ = false;
  bool decided_ = false;
  Duration eager_wait_ = std::chrono::milliseconds(10);
  std::string last_failure_;
  MonotonicTime next_count_;  // eager: when a failure counts again
  std::shared_ptr<TcpAttempt> tcp_;
  Pending attempt_;
  io::Timer timer_;
  io::Timer limit_;
};

}  // namespace plait::local
