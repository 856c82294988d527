#include "core/xds/named_types.h"
#include "envoy/extensions/filters/network/echo/v3/echo.pb.h"
#include "envoy/extensions/filters/network/sni_cluster/v3/sni_cluster.pb.h"
#include "envoy/extensions/formatter/cel/v3/cel.pb.h"
#include "envoy/extensions/formatter/metadata/v3/metadata.pb.h"
#include "envoy/extensions/formatter/req_without_query/v3/req_without_query.pb.h"
#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.pb.h"
#include "udpa/type/v1/typed_struct.pb.h"

namespace plait::xds {

void LinkNamedTypes() {
  namespace extensions = envoy::extensions;
  google::protobuf::LinkMessageReflection<extensions::filters::network::echo::v3::Echo>();
  google::protobuf::LinkMessageReflection<extensions::filters::network::sni_cluster::v3::SniCluster>();
  google::protobuf::LinkMessageReflection<extensions::formatter::cel::v3::Cel>();
  google::protobuf::LinkMessageReflection<extensions::formatter::metadata::v3::Metadata>();
  google::protobuf::LinkMessageReflection<extensions::formatter::req_without_query::v3::ReqWithoutQuery>();
  google::protobuf::LinkMessageReflection<extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate>();
  google::protobuf::LinkMessageReflection<extensions::transport_sockets::raw_buffer::v3::RawBuffer>();
  google::protobuf::LinkMessageReflection<udpa::type::v1::TypedStruct>();
}

}  // namespace plait::xds
