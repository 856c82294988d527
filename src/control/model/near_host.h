#pragma once
// Internal to control/model: the host that somebody may have meant who wrote one that is not there.
#include <string>

#include "control/model/snapshot.h"

namespace plait::control::model {

// Lives as long as one check of a snapshot.
class NearHost {
 public:
  explicit NearHost(const Snapshot& snapshot) : snapshot_(snapshot) {}

  // `did you mean "x"? ` with x as it can be written in `name_space`; empty when no visible host is near. `host` is
  // resolved. O(services), therefore only for the first 50 hosts: who has more wrong does not read them all at once.
  std::string Advice(const std::string& host, const std::string& name_space);

 private:
  const Snapshot& snapshot_;
  int left_ = 50;
};

}  // namespace plait::control::model
