#pragma once
// The workloads of `plait test` in a running mesh: samples/plait-test as an overlay in the run folder, for the life of
// this object.
#include <string>

#include "cli/test_access.h"

namespace plait::cli {

inline constexpr const char* kTestNamespace = "plait-test";

class TestOverlay {
 public:
  // Errors: kDenied when another `plait test` uses this mesh.
  static Outcome<TestOverlay> Add(const local::MeshStatus& mesh);
  ~TestOverlay() { Remove(); }
  TestOverlay(TestOverlay&& other) noexcept = default;
  TestOverlay& operator=(TestOverlay&&) = delete;

  // Until all its workloads are ready and reach each other. Errors say who is not.
  Outcome<> AwaitReady(const TestAccess& access) const;
  // Removes it, and waits until its workloads are gone.
  Outcome<> RemoveAndAwait(const TestAccess& access);
  void Keep() { lock_.Reset(); }

 private:
  TestOverlay(io::UniqueFd lock, std::string file, std::string named)
      : lock_(std::move(lock)), file_(std::move(file)), named_(std::move(named)) {}
  void Remove();

  io::UniqueFd lock_;  // held while there is something to remove
  std::string file_;
  std::string named_;  // " --name shop": that commands need to mean this mesh
};

}  // namespace plait::cli
