#pragma once
// The kernel maps 64 KiB around each page of a file that is touched: after the start and the first configuration most
// of the executable is resident, although little of it (descriptors, decoders, command line) runs again.

namespace plait::proxy::worker {

// Unmaps what can never differ from the executable's file: its code and constants. What runs on comes back from the
// page cache, 64 KiB a fault. Any thread; others may run meanwhile. Some ten microseconds, and as many for the faults.
void ReleaseStartupPages() noexcept;

}  // namespace plait::proxy::worker
