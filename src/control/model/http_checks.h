#pragma once
// Internal to control/model: what HTTP and a proxy let stand in the parts of a message that a rule writes. Each reports
// at `path` and returns whether it passed; one rule that a proxy refuses would take all routes of a port with it.
#include <string>
#include <string_view>

#include "control/model/reader.h"
#include "control/model/virtual_service.h"

namespace plait::control::model {

bool CheckFieldName(ObjectReader& reader, std::string_view path, std::string_view name);  // RFC 9110 5.1
// Of headers: Host of a request may be set.
bool CheckEdits(ObjectReader& reader, const std::string& path, const MessageEdits& edits);
// A piece of a request target (RFC 9112 3.2), of a Location, or an authority.
bool CheckTarget(ObjectReader& reader, std::string_view path, std::string_view target);
// What `regex`, which is valid, is replaced with: "\1" is its first group.
bool CheckSubstitution(ObjectReader& reader, std::string_view path, const std::string& regex,
                       const std::string& substitution);

}  // namespace plait::control::model
