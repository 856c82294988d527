#pragma once
// /logging: the levels of the process's loggers, shown and changed. Parameters and texts are Envoy's.
#include "core/conn/http_server.h"
#include "proxy/admin/parameters.h"

namespace plait::proxy::admin {

// At most one parameter: ?level=debug (all), ?http2=trace (one), ?paths=http2:trace,ads:debug (several). 400 with the
// usage and the loggers when it is not understood; nothing is changed then.
conn::Response LoggingPage(const Parameters& parameters);

}  // namespace plait::proxy::admin
