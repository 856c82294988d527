#pragma once
// Objects whose owner is gone but that a codec still calls: they stay here until their last event. One a worker.
#include <memory>
#include <unordered_map>
#include <utility>

#include "core/io/loop.h"

namespace plait::proxy::session {

class Orphan {
 public:
  virtual ~Orphan() = default;
};

class Orphans {
 public:
  explicit Orphans(io::Loop& loop) : loop_(loop) {}
  Orphans(const Orphans&) = delete;
  Orphans& operator=(const Orphans&) = delete;
  // One that dies may leave another behind: a mirror its attempt.
  ~Orphans() {
    while (!kept_.empty()) const auto dying = std::exchange(kept_, {});
  }
  void Keep(std::unique_ptr<Orphan> orphan) {
    Orphan* key = orphan.get();
    kept_.emplace(key, std::move(orphan));
  }
  // Destroys it at the end of the round; for its last event.
  void Release(Orphan& orphan) {
    const auto found = kept_.find(&orphan);
    if (found == kept_.end()) return;
    loop_.DeleteLater(std::move(found->second));
    kept_.erase(found);
  }
  std::size_t size() const noexcept { return kept_.size(); }

 private:
  io::Loop& loop_;
  std::unordered_map<Orphan*, std::unique_ptr<Orphan>> kept_;
};

}  // namespace plait::proxy::session
