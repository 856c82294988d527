#include "core/grpc/health_codec.h"

#include "grpc/health/v1/health.pb.h"

namespace plait::grpc {
namespace pb = ::grpc::health::v1;

std::string EncodeHealthRequest(std::string_view service) {
  pb::HealthCheckRequest message;
  message.set_service(std::string(service));
  return message.SerializeAsString();
}

Result<std::string> DecodeHealthRequest(std::string_view bytes) {
  pb::HealthCheckRequest message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Fail(Errc::kInvalidInput, "not a HealthCheckRequest");
  return message.service();
}

std::string EncodeHealthResponse(HealthStatus status) {
  pb::HealthCheckResponse message;
  message.set_status(static_cast<pb::HealthCheckResponse::ServingStatus>(status));
  return message.SerializeAsString();
}

Result<HealthStatus> DecodeHealthResponse(std::string_view bytes) {
  pb::HealthCheckResponse message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || message.status() < 0 ||
      message.status() > 3)
    return Fail(Errc::kInvalidInput, "not a HealthCheckResponse");
  return static_cast<HealthStatus>(message.status());
}

std::string EncodeHealthList(const std::map<std::string, HealthStatus>& services) {
  pb::HealthListResponse message;
  for (const auto& [service, status] : services)
    (*message.mutable_statuses())[service].set_status(static_cast<pb::HealthCheckResponse::ServingStatus>(status));
  return message.SerializeAsString();
}

}  // namespace plait::grpc
