// For the codecs of src/core/xds: its structs, and the messages that most others include.
#include <google/protobuf/message.h>

#include "core.h"
#include "core/xds/cluster.h"
#include "core/xds/listener.h"
#include "core/xds/plait_forms.h"
#include "core/xds/route.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
