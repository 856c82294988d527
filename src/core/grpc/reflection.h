#pragma once
// grpc.reflection.v1 and v1alpha: one implementation, for their messages are the same on the wire. Part of Server.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/grpc/server.h"

namespace plait::grpc {

// What each message of a client is answered.
class ReflectionAnswers {
 public:
  // `file_descriptor_set`: empty: what is linked into the program.
  explicit ReflectionAnswers(const std::string& file_descriptor_set);
  ~ReflectionAnswers();
  // From and to the wire; nullopt: `request` is no ServerReflectionRequest. `services`: for list_services.
  std::optional<std::string> Answer(std::string_view request, const std::vector<std::string>& services) const;

 private:
  class Descriptors;  // reflection_codec.cc
  std::unique_ptr<const Descriptors> descriptors_;
};

class Server::Reflection {
 public:
  Reflection(Server& server, const std::string& file_descriptor_set);

 private:
  class Stream;
  Server& server_;
  const ReflectionAnswers answers_;
};

}  // namespace plait::grpc
