#include "cli/test_overlay.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/samples.h"

namespace plait::cli {
namespace {

constexpr int kReadyPatience = 30'000;
constexpr int kReachPatience = 10'000;
constexpr int kGonePatience = 15'000;

// As `plait status` would say it; empty: all of them are ready.
std::string WhoIsNotReady(const local::MeshStatus& status) {
  std::string names;
  std::size_t there = 0;
  for (const local::WorkloadStatus& w : status.workloads) {
    if (w.ns != kTestNamespace) continue;
    ++there;
    if (!w.ready) names += (names.empty() ? "" : ", ") + w.name + " (" + (w.reason.empty() ? w.phase : w.reason) + ")";
  }
  if (there > 0) return names;
  return status.messages.empty() ? "plaitd has not made them" : "plaitd has not made them: " + status.messages.back();
}

// The proxies learn of each other's readiness a moment after it is true; what is counted begins when they have.
// A name that is not found is among that.
Outcome<bool> Reach(const TestAccess& access, std::string& last) {
  const Outcome<LoadReport> echo = access.Load("client.plait-test", "http://echo:9080/",
                                               {"--count", "40", "--connections", "4", "--count-by", "x-app-version"});
  const Outcome<LoadReport> ratings =
      echo ? access.Load("client.plait-test", "http://ratings:9080/ratings/0", {"--count", "1"}) : echo;
  if (!ratings) {
    last = ratings.error().message;
    return ratings.error().code == Errc::kNotFound ? Outcome<bool>(false) : std::unexpected(ratings.error());
  }
  last = echo->failed > 0      ? "echo: " + echo->WhatFailed()
         : ratings->failed > 0 ? "ratings: " + ratings->WhatFailed()
                               : "echo: not both versions answer";
  return echo->failed == 0 && ratings->failed == 0 && echo->With("v1") > 0 && echo->With("v2") > 0;
}

}  // namespace

Outcome<TestOverlay> TestOverlay::Add(const local::MeshStatus& mesh) {
  const Outcome<std::string> sample = SampleFolder("plait-test");
  if (!sample) return std::unexpected(sample.error());
  const std::string lock_path = mesh.run_dir + "/plait-test.lock";
  io::UniqueFd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return Explain(Errc::kDenied, "cannot open " + lock_path + ": " + strerror(errno));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return Explain(Errc::kDenied, "another `plait test` runs on this mesh", "wait for its end");
  // Written beside and renamed: plaitd never reads a half of it. Names that begin with a dot are not read at all.
  const std::string folder = mesh.run_dir + "/overlay/";
  const std::string file = folder + "plait-test.yaml";
  std::error_code error;
  std::filesystem::copy_file(*sample + "/plait-test.yaml", folder + ".plait-test.yaml",
                             std::filesystem::copy_options::overwrite_existing, error);
  if (!error) std::filesystem::rename(folder + ".plait-test.yaml", file, error);
  if (error) return Explain(Errc::kDenied, "cannot write " + file + ": " + error.message());
  return TestOverlay(std::move(lock), file, Named(MeshOptions{.name = mesh.name}));
}

Outcome<> TestOverlay::AwaitReady(const TestAccess& access) const {
  std::string missing;
  const Outcome<bool> ready = access.Until(
      [&]() -> Outcome<bool> {
        const Outcome<local::MeshStatus> status = access.Status();
        if (!status) return std::unexpected(status.error());
        missing = WhoIsNotReady(*status);
        return missing.empty();
      },
      kReadyPatience);
  if (!ready) return std::unexpected(ready.error());
  if (!*ready)
    return Explain(Errc::kTimedOut, "the workloads of the test are not ready after 30 s: " + missing,
                   "plait logs" + named_ + " plaitd; plait test" + named_ + " --keep, then plait logs" + named_ +
                       " -c istio-proxy WORKLOAD");
  std::string last;
  const Outcome<bool> reached = access.Until([&] { return Reach(access, last); }, kReachPatience);
  if (!reached) return std::unexpected(reached.error());
  if (*reached) return {};
  return Explain(Errc::kTimedOut, "the client of the test does not reach its servers: " + last,
                 "plait test" + named_ + " --keep, then plait logs" + named_ + " -c istio-proxy client.plait-test");
}

void TestOverlay::Remove() {
  if (!lock_) return;
  unlink(file_.c_str());
  lock_.Reset();
}

Outcome<> TestOverlay::RemoveAndAwait(const TestAccess& access) {
  unlink(file_.c_str());
  const Outcome<bool> gone = access.Until(
      [&]() -> Outcome<bool> {
        const Outcome<local::MeshStatus> status = access.Status();
        if (!status) return std::unexpected(status.error());
        for (const local::WorkloadStatus& w : status->workloads)
          if (w.ns == kTestNamespace) return false;
        return true;
      },
      kGonePatience);
  Remove();
  if (!gone) return std::unexpected(gone.error());
  if (!*gone) return Explain(Errc::kTimedOut, "the workloads of the test do not end", "plait status" + named_);
  return {};
}

}  // namespace plait::cli
