#include "proxy/session/orphans.h"

#include <gtest/gtest.h>

namespace plait::proxy::session {
namespace {

// Counts those that live.
class Counted : public Orphan {
 public:
  explicit Counted(int& alive) : alive_(alive) { ++alive_; }
  ~Counted() override { --alive_; }

 private:
  int& alive_;
};

// As a mirror, which leaves its attempt behind.
class LeavesOthers final : public Counted {
 public:
  LeavesOthers(int& alive, Orphans& orphans) : Counted(alive), alive_(alive), orphans_(orphans) {}
  ~LeavesOthers() override {
    for (int i = 0; i < 100; ++i) orphans_.Keep(std::make_unique<Counted>(alive_));
  }

 private:
  int& alive_;
  Orphans& orphans_;
};

TEST(Orphans, EndWithThoseThatDyingOnesLeaveBehind) {
  io::Loop loop;
  int alive = 0;
  {
    Orphans orphans(loop);
    for (int i = 0; i < 10; ++i) orphans.Keep(std::make_unique<LeavesOthers>(alive, orphans));
    EXPECT_EQ(alive, 10);
  }
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace plait::proxy::session
