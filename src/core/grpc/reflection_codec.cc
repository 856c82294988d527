#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>

#include <set>

#include "core/grpc/reflection.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace plait::grpc {
namespace pb = ::grpc::reflection::v1;
namespace protobuf = ::google::protobuf;

class ReflectionAnswers::Descriptors {
 public:
  explicit Descriptors(const std::string& file_descriptor_set) {
    // The messages are those of v1, but the service has a description of its own: this keeps it in the program.
    static_cast<void>(::grpc::reflection::v1alpha::ServerReflectionRequest::descriptor());
    protobuf::FileDescriptorSet set;
    if (file_descriptor_set.empty() || !set.ParseFromString(file_descriptor_set)) return;
    for (const auto& file : set.file()) database_.Add(file);
    own_ = std::make_unique<protobuf::DescriptorPool>(&database_);
  }
  const protobuf::DescriptorPool& pool() const { return own_ ? *own_ : *protobuf::DescriptorPool::generated_pool(); }

 private:
  protobuf::SimpleDescriptorDatabase database_;
  std::unique_ptr<protobuf::DescriptorPool> own_;
};

namespace {

// The file and all that it imports, so that a client can build it without asking again.
void AddFile(const protobuf::FileDescriptor* file, std::set<std::string>& sent, pb::FileDescriptorResponse& out) {
  if (!sent.insert(file->name()).second) return;
  protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) AddFile(file->dependency(i), sent, out);
}

void AddError(pb::ServerReflectionResponse& out, Code code, std::string text) {
  out.mutable_error_response()->set_error_code(static_cast<int>(code));
  out.mutable_error_response()->set_error_message(std::move(text));
}

void AddFileOrError(const protobuf::FileDescriptor* file, const std::string& wanted,
                    pb::ServerReflectionResponse& out) {
  if (file == nullptr) return AddError(out, Code::kNotFound, "not found: " + wanted);
  std::set<std::string> sent;
  AddFile(file, sent, *out.mutable_file_descriptor_response());
}

const protobuf::FileDescriptor* FileOfExtension(const protobuf::DescriptorPool& pool, const std::string& type,
                                                int number) {
  const protobuf::Descriptor* message = pool.FindMessageTypeByName(type);
  const protobuf::FieldDescriptor* field = message != nullptr ? pool.FindExtensionByNumber(message, number) : nullptr;
  return field != nullptr ? field->file() : nullptr;
}

void AddExtensionNumbers(const protobuf::DescriptorPool& pool, const std::string& type,
                         pb::ServerReflectionResponse& out) {
  const protobuf::Descriptor* message = pool.FindMessageTypeByName(type);
  if (message == nullptr) return AddError(out, Code::kNotFound, "not found: " + type);
  std::vector<const protobuf::FieldDescriptor*> fields;
  pool.FindAllExtensions(message, &fields);
  out.mutable_all_extension_numbers_response()->set_base_type_name(type);
  for (const auto* field : fields) out.mutable_all_extension_numbers_response()->add_extension_number(field->number());
}

}  // namespace

ReflectionAnswers::ReflectionAnswers(const std::string& file_descriptor_set)
    : descriptors_(std::make_unique<const Descriptors>(file_descriptor_set)) {}
ReflectionAnswers::~ReflectionAnswers() = default;

std::optional<std::string> ReflectionAnswers::Answer(std::string_view message,
                                                     const std::vector<std::string>& services) const {
  pb::ServerReflectionRequest request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) return std::nullopt;
  pb::ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const protobuf::DescriptorPool& pool = descriptors_->pool();
  switch (request.message_request_case()) {
    case pb::ServerReflectionRequest::kFileByFilename:
      AddFileOrError(pool.FindFileByName(request.file_by_filename()), request.file_by_filename(), response);
      break;
    case pb::ServerReflectionRequest::kFileContainingSymbol:
      AddFileOrError(pool.FindFileContainingSymbol(request.file_containing_symbol()), request.file_containing_symbol(),
                     response);
      break;
    case pb::ServerReflectionRequest::kFileContainingExtension: {
      const auto& wanted = request.file_containing_extension();
      AddFileOrError(FileOfExtension(pool, wanted.containing_type(), wanted.extension_number()),
                     wanted.containing_type(), response);
      break;
    }
    case pb::ServerReflectionRequest::kAllExtensionNumbersOfType:
      AddExtensionNumbers(pool, request.all_extension_numbers_of_type(), response);
      break;
    case pb::ServerReflectionRequest::kListServices:
      for (const std::string& service : services)
        response.mutable_list_services_response()->add_service()->set_name(service);
      break;
    case pb::ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      AddError(response, Code::kInvalidArgument, "no request is set");
      break;
  }
  return response.SerializeAsString();
}

class Server::Reflection::Stream final : public CallHandler {
 public:
  Stream(Reflection& reflection, ServerCall& call) : reflection_(reflection), call_(call) {}

 private:
  void OnMessage(std::string message) override {
    const auto answer = reflection_.answers_.Answer(message, reflection_.server_.services());
    if (!answer)
      return call_.Finish({.code = Code::kInvalidArgument, .message = "not a ServerReflectionRequest", .details = {}});
    call_.Send(*answer);
  }
  void OnHalfClose() override { call_.Finish({}); }

  Reflection& reflection_;
  ServerCall& call_;
};

Server::Reflection::Reflection(Server& server, const std::string& file_descriptor_set)
    : server_(server), answers_(file_descriptor_set) {
  for (const char* version : {"v1", "v1alpha"})
    server.AddStreaming(std::string("/grpc.reflection.") + version + ".ServerReflection/ServerReflectionInfo",
                        [this](ServerCall& call) { return std::make_unique<Stream>(*this, call); });
}

}  // namespace plait::grpc
