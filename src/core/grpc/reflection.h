#pragma once
// grpc.reflection.v1 and v1alpha: one implementation, for their messages are the same on the wire. Part of Server.
#include <memory>
#include <string>

#include "core/grpc/server.h"

namespace plait::grpc {

class Server::Reflection {
 public:
  // `file_descriptor_set`: empty: what is linked into the program.
  Reflection(Server& server, std::string file_descriptor_set);
  ~Reflection();

 private:
  class Stream;
  class Descriptors;  // reflection_codec.cc
  Server& server_;
  std::unique_ptr<Descriptors> descriptors_;
};

}  // namespace plait::grpc
