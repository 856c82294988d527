// What a gRPC client sends beside its messages' own content: health requests and answers, time-outs, status texts and
// trailers, questions of reflection. The first byte chooses the reader. Checked: what was read survives being written
// and read again, and a description that is given away is whole.
#include <google/protobuf/descriptor.pb.h>
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

#include "core/base/check.h"
#include "core/base/strings.h"
#include "core/grpc/health_codec.h"
#include "core/grpc/reflection.h"
#include "core/grpc/status.h"
#include "grpc/reflection/v1/reflection.pb.h"

namespace plait {  // not `using`: generated code has a namespace grpc, too
namespace {

void Health(std::string_view bytes) {
  if (const auto service = grpc::DecodeHealthRequest(bytes))
    PLAIT_CHECK(grpc::DecodeHealthRequest(grpc::EncodeHealthRequest(*service)) == *service);
  if (const auto status = grpc::DecodeHealthResponse(bytes))
    PLAIT_CHECK(grpc::DecodeHealthResponse(grpc::EncodeHealthResponse(*status)) == *status);
}

void Timeout(std::string_view text) {
  const auto timeout = grpc::ParseTimeout(text);
  if (!timeout) return;
  PLAIT_CHECK(*timeout >= Duration(0));
  const auto again = grpc::ParseTimeout(grpc::FormatTimeout(*timeout));
  PLAIT_CHECK(again && *again >= *timeout);
}
// Lines "name:value" are the trailers.
void Trailers(std::string_view text) {
  http::Headers trailers;
  for (const std::string_view line : Split(text, '\n')) {
    const auto [name, value] = SplitOnce(line, ':');
    if (value) trailers.Add(name, *value);
  }
  const grpc::Status status = grpc::StatusOf(trailers);
  PLAIT_CHECK(status.code <= grpc::Code::kUnauthenticated && !status.ToString().empty());
  http::Headers written;
  grpc::AddStatus(written, status);
  PLAIT_CHECK(grpc::StatusOf(written) == status);
}

// A client builds the descriptions from the answer alone.
void CheckWhole(const ::grpc::reflection::v1::FileDescriptorResponse& files) {
  std::set<std::string> given;
  std::set<std::string> needed;
  for (const std::string& bytes : files.file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    PLAIT_CHECK(file.ParseFromString(bytes) && given.insert(file.name()).second);
    needed.insert(file.dependency().begin(), file.dependency().end());
  }
  PLAIT_CHECK(!given.empty() && std::includes(given.begin(), given.end(), needed.begin(), needed.end()));
}

void Reflection(std::string_view bytes) {
  static const grpc::ReflectionAnswers answers("");
  const auto answer = answers.Answer(bytes, {"a.Service"});
  if (!answer) return;
  using Response = ::grpc::reflection::v1::ServerReflectionResponse;
  Response response;
  PLAIT_CHECK(response.ParseFromString(*answer));
  PLAIT_CHECK(response.valid_host() == response.original_request().host());
  PLAIT_CHECK(response.message_response_case() != Response::MESSAGE_RESPONSE_NOT_SET);
  if (response.has_file_descriptor_response()) CheckWhole(response.file_descriptor_response());
  if (response.has_error_response()) PLAIT_CHECK(!response.error_response().error_message().empty());
}
void Message(std::string_view text) {
  (void)grpc::DecodeMessage(text);
  PLAIT_CHECK(grpc::DecodeMessage(grpc::EncodeMessage(text)) == text);
}

void Read(char what, std::string_view bytes) {
  switch (what) {
    case 'H': return Health(bytes);
    case 'T': return Timeout(bytes);
    case 'M': return Message(bytes);
    case 'S': return Trailers(bytes);
    case 'R': return Reflection(bytes);
    default: return;
  }
}
}  // namespace
}  // namespace plait

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!bytes.empty()) plait::Read(bytes[0], bytes.substr(1));
  return 0;
}
