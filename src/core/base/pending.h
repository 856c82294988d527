#pragma once
// The handle of something that was started: dropping it cancels. Rules: a completion never runs inside the call that
// starts it, and never after its Pending was dropped. One thread only.
#include <memory>
#include <utility>

namespace plait {
class Pending {
 public:
  // What a started thing leaves behind; its destructor cancels it (and must be harmless once it has completed).
  class Operation {
   public:
    virtual ~Operation() = default;
  };

  Pending() = default;
  explicit Pending(std::unique_ptr<Operation> operation) noexcept : operation_(std::move(operation)) {}
  explicit operator bool() const noexcept { return operation_ != nullptr; }
  void Cancel() noexcept { operation_.reset(); }

 private:
  std::unique_ptr<Operation> operation_;
};
}  // namespace plait
