#pragma once
// The registry in Istio's JSON shapes: /debug/registryz, /debug/endpointz, /debug/ndsz.
#include <string>
#include <string_view>

#include "control/model/snapshot.h"

namespace plait::control::serve {

// A list of services, as Istio's model.Service prints.
std::string ServicesJson(const model::Snapshot& mesh);
// A list of {"svc": "<host>:<port name>", "ep": [{service, servicePort, endpoint}]}.
std::string EndpointsJson(const model::Snapshot& mesh);
// The same, an endpoint a line: "<host>:<port name> <address>:<port> <labels> <identity>".
std::string EndpointsText(const model::Snapshot& mesh);
// What names a proxy of the namespace resolves to, as Istio's NameTable.
std::string NamesJson(const model::Snapshot& mesh, std::string_view name_space);

}  // namespace plait::control::serve
