#pragma once
// What Prometheus' own clients tell of their process, under their names: process_cpu_seconds_total and what it holds of
// memory and files. Istio's performance dashboard reads them of the control plane.
#include "control/serve/metrics.h"

namespace plait::control::serve {

// As it is now; a figure that the kernel does not tell stays as it was.
void SetProcessMetrics(Metrics& metrics);

}  // namespace plait::control::serve
