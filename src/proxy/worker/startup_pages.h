#pragma once
// The kernel maps 64 KiB around each page of a file that is touched: after the start and the first configuration most
// of the executable is resident, although little of it (descriptors, decoders, command line) runs again.

namespace plait::proxy::worker {

// Unmaps what can never differ from the executable's file: its code and constants. What runs on comes back from the
// page cache, 64 KiB a fault: some 40 of an idle sidecar. Any thread; others may run meanwhile. About 0.2 ms.
void ReleaseStartupPages() noexcept;

}  // namespace plait::proxy::worker
