// The encoding of a DeltaDiscoveryResponse without a message of protobuf: a server sends each proxy all of the
// mesh, and to fill a message takes several allocations and one copy more a resource. The bytes are those that
// protobuf would write.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstring>

#include "core/xds/discovery.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace plait::xds {
namespace {

using google::protobuf::Any;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;
using pb = envoy::service::discovery::v3::DeltaDiscoveryResponse;
using pb_resource = envoy::service::discovery::v3::Resource;
using pb_control_plane = envoy::config::core::v3::ControlPlane;

// All fields here have numbers below 16: their tag is one byte.
std::size_t FieldSize(std::size_t length) {
  return 1 + CodedOutputStream::VarintSize32(static_cast<std::uint32_t>(length)) + length;
}
// Of a string, which is not written when it is empty.
std::size_t TextSize(std::string_view text) { return text.empty() ? 0 : FieldSize(text.size()); }

class Writer {
 public:
  explicit Writer(std::size_t size) : out_(size, '\0'), at_(reinterpret_cast<std::uint8_t*>(out_.data())) {}
  // The head of a message or string of `length` bytes, which follow.
  void Begin(int field, std::size_t length) {
    *at_++ = static_cast<std::uint8_t>(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
    at_ = CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(length), at_);
  }
  void Element(int field, std::string_view text) {
    Begin(field, text.size());
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void Text(int field, std::string_view text) {
    if (!text.empty()) Element(field, text);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
  std::uint8_t* at_;
};

std::size_t AnySize(const WireResource& resource, std::string_view type_url) {
  return TextSize(type_url) + TextSize(resource.bytes);
}

std::size_t ResourceSize(const WireResource& resource, std::string_view type_url) {
  std::size_t size = TextSize(resource.version) + FieldSize(AnySize(resource, type_url)) + TextSize(resource.name);
  for (const std::string& alias : resource.aliases) size += FieldSize(alias.size());
  return size;
}

void Write(const WireResource& resource, std::string_view type_url, Writer& out) {
  out.Begin(pb::kResourcesFieldNumber, ResourceSize(resource, type_url));
  out.Text(pb_resource::kVersionFieldNumber, resource.version);
  out.Begin(pb_resource::kResourceFieldNumber, AnySize(resource, type_url));
  out.Text(Any::kTypeUrlFieldNumber, type_url);
  out.Text(Any::kValueFieldNumber, resource.bytes);
  out.Text(pb_resource::kNameFieldNumber, resource.name);
  for (const std::string& alias : resource.aliases) out.Element(pb_resource::kAliasesFieldNumber, alias);
}

const WireResource& Of(const WireResource& resource) { return resource; }
const WireResource& Of(const std::shared_ptr<const WireResource>& resource) { return *resource; }

template <class Resource>
std::string Encode(const DeltaResponseOf<Resource>& response) {
  const std::string_view type_url = response.type_url;
  const std::size_t control_plane = TextSize(response.control_plane);
  std::size_t size = TextSize(response.system_version) + TextSize(type_url) + TextSize(response.nonce);
  for (const Resource& resource : response.resources) size += FieldSize(ResourceSize(Of(resource), type_url));
  for (const std::string& name : response.removed) size += FieldSize(name.size());
  if (control_plane > 0) size += FieldSize(control_plane);

  Writer out(size);
  out.Text(pb::kSystemVersionInfoFieldNumber, response.system_version);
  for (const Resource& resource : response.resources) Write(Of(resource), type_url, out);
  out.Text(pb::kTypeUrlFieldNumber, type_url);
  out.Text(pb::kNonceFieldNumber, response.nonce);
  for (const std::string& name : response.removed) out.Element(pb::kRemovedResourcesFieldNumber, name);
  if (control_plane > 0) {
    out.Begin(pb::kControlPlaneFieldNumber, control_plane);
    out.Text(pb_control_plane::kIdentifierFieldNumber, response.control_plane);
  }
  return out.Take();
}

}  // namespace

std::string EncodeDeltaResponse(const DeltaResponse& response) { return Encode(response); }
std::string EncodeDeltaResponse(const SharedDeltaResponse& response) { return Encode(response); }

}  // namespace plait::xds
