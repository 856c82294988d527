#pragma once
// What all decoders share: where they are in the message, the first thing that is wrong, and the rule that no field is
// ignored silently. Used by the *_codec.cc files of this folder.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace plait::xds {

class DecodeContext {
 public:
  // `resource`: for messages, "Cluster outbound|80||a". `is_static`: from the bootstrap file, where unknown field
  // numbers are errors; in dynamic resources they are accepted and counted, as in Envoy.
  DecodeContext(std::string resource, bool is_static) : resource_(std::move(resource)), static_(is_static) {}

  // Every set field of `message` must be named in `honoured` or stand in ignored_fields with the reason; the first that
  // does neither is the error. Call it once for each message that is read, before its parts: a message inside an
  // honoured field that nobody calls this for is an error in Finish, so a decoder that forgets a part refuses it. Enum
  // values without a name are refused here as well.
  void Honours(const google::protobuf::Message& message, std::initializer_list<std::string_view> honoured);
  void Reject(std::string_view what);  // the first counts
  void Finish();                       // after the last part, before ok
  bool ok() const noexcept { return problem_.empty(); }
  // "Cluster a: load_assignment.endpoints[0]: address: ..."
  Diagnostic TakeProblem() const;
  std::uint64_t unknown_fields() const noexcept { return unknown_fields_; }

  // Names the part that is read while it lives.
  class At {
   public:
    At(DecodeContext& context, std::string_view part, int index = -1);
    ~At() { context_.path_.pop_back(); }
    At(const At&) = delete;
    At& operator=(const At&) = delete;

   private:
    DecodeContext& context_;
  };

 private:
  void CheckField(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field);

  std::string resource_;
  bool static_;
  std::vector<std::string> path_;
  std::string problem_;
  std::uint64_t unknown_fields_ = 0;
  // Messages in honoured fields that no decoder has looked into yet.
  std::unordered_map<const google::protobuf::Message*, const google::protobuf::FieldDescriptor*> unread_;
};

}  // namespace plait::xds
