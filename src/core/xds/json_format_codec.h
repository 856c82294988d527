#pragma once
// Decoder of JSON formats. Internal to core/xds.
#include "core/xds/json_format.h"

namespace google::protobuf {
class Struct;
}

namespace plait::xds {
JsonFormat DecodeJsonFormat(const google::protobuf::Struct& in);
}
