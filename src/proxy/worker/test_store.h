#pragma once
// A proxy's store of configuration with what it stands on, for tests.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "core/telemetry/registry.h"
#include "proxy/record/log_writer.h"
#include "proxy/worker/config_store.h"
#include "testing/manual_clock.h"

namespace plait::proxy::worker {

// A resource under the name that its value has.
template <class T>
xds::Resource<T> Named(T value) {
  xds::Resource<T> resource;
  resource.name = value.name;
  resource.value = std::make_shared<const T>(std::move(value));
  return resource;
}

class StoreTest : public testing::Test {
 protected:
  StoreTest(ManualClock::Start start, Duration warming_limit)
      : clock_(start), store_(loop_, {registry_, logs_}, secrets_, sockets_, "", warming_limit) {}

  ManualClock clock_;
  io::Loop loop_{clock_};
  telemetry::Registry registry_;
  record::LogWriter logs_;
  Secrets secrets_;
  Sockets sockets_{{}};
  ConfigStore store_;
};

}  // namespace plait::proxy::worker
