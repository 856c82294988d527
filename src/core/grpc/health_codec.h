#pragma once
// Messages of grpc.health.v1 as plain values.
#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace plait::grpc {

enum class HealthStatus : std::uint8_t {
  kUnknown,
  kServing,
  kNotServing,
  kServiceUnknown
};  // the numbers of the protocol

std::string EncodeHealthRequest(std::string_view service);
Result<std::string> DecodeHealthRequest(std::string_view bytes);
std::string EncodeHealthResponse(HealthStatus status);
Result<HealthStatus> DecodeHealthResponse(std::string_view bytes);
// HealthListResponse: each service with its status.
std::string EncodeHealthList(const std::map<std::string, HealthStatus>& services);

}  // namespace plait::grpc
