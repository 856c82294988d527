#include "core/yaml/message.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/api.pb.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include "core/yaml/parse.h"
#include "core/yaml/print.h"

namespace plait::yaml {
namespace {
namespace pb = google::protobuf;

constexpr char kSchema[] = R"pb(
  name: "t.proto"
  package: "t"
  syntax: "proto3"
  dependency: [
    "google/protobuf/duration.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/wrappers.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/any.proto"
  ]
  enum_type {
    name: "Mode"
    value { name: "UNSET" number: 0 }
    value { name: "STRICT" number: 3 }
  }
  message_type {
    name: "T"
    field {
      name: "source_labels"
      number: 1
      type: TYPE_MESSAGE
      label: LABEL_REPEATED
      type_name: ".t.T.SourceLabelsEntry"
      json_name: "sourceLabels"
    }
    field { name: "requires_" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "requires" }
    field { name: "mode" number: 3 type: TYPE_ENUM type_name: ".t.Mode" label: LABEL_OPTIONAL json_name: "mode" }
    field {
      name: "timeout"
      number: 4
      type: TYPE_MESSAGE
      type_name: ".google.protobuf.Duration"
      label: LABEL_OPTIONAL
      json_name: "timeout"
    }
    field {
      name: "at"
      number: 5
      type: TYPE_MESSAGE
      type_name: ".google.protobuf.Timestamp"
      label: LABEL_OPTIONAL
      json_name: "at"
    }
    field {
      name: "limit"
      number: 6
      type: TYPE_MESSAGE
      type_name: ".google.protobuf.UInt32Value"
      label: LABEL_OPTIONAL
      json_name: "limit"
    }
    field { name: "big" number: 7 type: TYPE_INT64 label: LABEL_OPTIONAL json_name: "big" }
    field { name: "small" number: 8 type: TYPE_UINT32 label: LABEL_REPEATED json_name: "small" }
    field { name: "blob" number: 9 type: TYPE_BYTES label: LABEL_OPTIONAL json_name: "blob" }
    field {
      name: "extra"
      number: 10
      type: TYPE_MESSAGE
      type_name: ".google.protobuf.Struct"
      label: LABEL_OPTIONAL
      json_name: "extra"
    }
    field {
      name: "any"
      number: 11
      type: TYPE_MESSAGE
      type_name: ".google.protobuf.Any"
      label: LABEL_OPTIONAL
      json_name: "any"
    }
    field { name: "exact" number: 12 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 json_name: "exact" }
    field { name: "prefix" number: 13 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 json_name: "prefix" }
    field {
      name: "children"
      number: 14
      type: TYPE_MESSAGE
      type_name: ".t.T"
      label: LABEL_REPEATED
      json_name: "children"
    }
    field { name: "on" number: 15 type: TYPE_BOOL label: LABEL_OPTIONAL json_name: "on" }
    field { name: "ratio" number: 16 type: TYPE_DOUBLE label: LABEL_OPTIONAL json_name: "ratio" }
    oneof_decl { name: "match" }
    nested_type {
      name: "SourceLabelsEntry"
      field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "key" }
      field { name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "value" }
      options { map_entry: true }
    }
  })pb";

class Message : public testing::Test {
 protected:
  Message() : pool_(pb::DescriptorPool::generated_pool()) {
    pb::Duration::descriptor();
    pb::Any::descriptor();
    pb::Api::descriptor();
    pb::Timestamp::descriptor();
    pb::UInt32Value::descriptor();
    pb::FileDescriptorProto file;
    EXPECT_TRUE(pb::TextFormat::ParseFromString(kSchema, &file));
    const pb::FileDescriptor* built = pool_.BuildFile(file);
    factory_.SetDelegateToGeneratedFactory(true);
    message_.reset(factory_.GetPrototype(built->FindMessageTypeByName("T"))->New());
  }
  // The messages of all errors, a line each; empty when the text was understood.
  std::string Errors(std::string_view text) {
    message_->Clear();
    auto node = ParseOne(text, "f.yaml");
    EXPECT_TRUE(node);
    std::string out;
    for (const Diagnostic& error : Decode(*node, "f.yaml", *message_)) out += error.ToString() + "\n";
    return out;
  }
  std::string Json() { return ToJson(Encode(*message_)); }

  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_;
  std::unique_ptr<pb::Message> message_;
};

TEST_F(Message, IsReadFromBothSpellingsAndPrintedBack) {
  EXPECT_EQ(
      Errors(
          "{sourceLabels: {app: a}, requires: x, mode: STRICT, timeout: 1.5s, limit: 7, big: \"-9\", small: [1, 0x10],"
          " blob: aGk=, extra: {a: [1, no, {b: ~}]}, exact: e, on: yes, ratio: 0.5, at: \"2026-01-02T03:04:05.5Z\"}"),
      "");
  EXPECT_EQ(Json(),
            "{\"source_labels\":{\"app\":\"a\"},\"requires\":\"x\",\"mode\":\"STRICT\",\"timeout\":\"1.500s\","
            "\"at\":\"2026-01-02T03:04:05.500Z\",\"limit\":7,\"big\":\"-9\",\"small\":[1,16],\"blob\":\"aGk=\","
            "\"extra\":{\"a\":[1,false,{\"b\":null}]},\"exact\":\"e\",\"on\":true,\"ratio\":0.5}");
  EXPECT_EQ(Errors("{source_labels: {app: a}, mode: 3, timeout: 250ms, exact: null}"), "");
  EXPECT_EQ(ToJson(Encode(*message_, {.snake_case = false})),
            "{\"sourceLabels\":{\"app\":\"a\"},\"mode\":\"STRICT\",\"timeout\":\"0.250s\"}");
}

TEST_F(Message, ReportsEveryUnknownFieldWithItsPlace) {
  EXPECT_EQ(Errors("timeuot: 5s\nchildren:\n- mode: STRICT\n  prefx: a\n"),
            "f.yaml:1:1: unknown field \"timeuot\" (did you mean \"timeout\"?)\n"
            "f.yaml:4:3: unknown field \"children[0].prefx\" (did you mean \"prefix\"?)\n");
}

TEST_F(Message, SaysWhatIsExpected) {
  EXPECT_EQ(Errors("mode: STRIKT"),
            "f.yaml:1:7: mode: the string \"STRIKT\" is not a value of Mode (did you mean \"STRICT\"?)\n");
  EXPECT_EQ(Errors("timeout: 5"),
            "f.yaml:1:10: timeout: a duration such as \"5s\" or \"250ms\" is expected, not the number 5 (correct the "
            "value, or remove the field)\n");
  EXPECT_EQ(Errors("sourceLabels: {version: 1}"),
            "f.yaml:1:25: sourceLabels.version: text is expected, not the number 1 (write it in quotes: \"1\")\n");
  EXPECT_EQ(Errors("small: [-1, 4294967296]"),
            "f.yaml:1:9: small[0]: the number -1 is outside 0..4294967295 (write a number of this range)\n"
            "f.yaml:1:13: small[1]: the number 4294967296 is outside 0..4294967295 (write a number of this range)\n");
  EXPECT_EQ(Errors("{exact: a, prefix: b}"),
            "f.yaml:1:12: \"prefix\" and \"exact\" exclude each other (keep one of them)\n");
  EXPECT_EQ(Errors("children: {a: b}"),
            "f.yaml:1:11: children: a list is expected, not a mapping (put \"- \" before each element)\n");
  EXPECT_NE(Errors("{sourceLabels: {}, source_labels: {}}").find("stands twice"), std::string::npos);
  EXPECT_EQ(Errors("limit: eighty"),
            "f.yaml:1:8: limit: a whole number is expected, not the string \"eighty\" (write digits only)\n");
  EXPECT_NE(Errors("on: maybe").find("true or false"), std::string::npos);
  EXPECT_NE(Errors("small: [~]").find("cannot be null"), std::string::npos);
  EXPECT_NE(Errors("[1]").find("a mapping is expected"), std::string::npos);
}

TEST_F(Message, HasANextStepForEachError) {
  for (const char* text : {"[1]",
                           "zebra: 1",
                           "limit: eighty",
                           "limit: 99999999999",
                           "ratio: much",
                           "on: maybe",
                           "mode: {}",
                           "mode: zebra",
                           "requires: [a]",
                           "blob: '*'",
                           "timeout: soon",
                           "at: noon",
                           "sourceLabels: [a]",
                           "children: a",
                           "children: [~]",
                           "children: [5]",
                           "small: [a]",
                           "extra: [1]",
                           "any: a",
                           "any: {a: b}",
                           "any: {'@type': x}",
                           "{exact: a, prefix: b}",
                           "{sourceLabels: {}, source_labels: {}}"}) {
    const auto node = ParseOne(text, "f.yaml");
    ASSERT_TRUE(node) << text;
    const Diagnostics errors = Decode(*node, "f.yaml", *message_);
    EXPECT_FALSE(errors.empty()) << text;
    for (const Diagnostic& error : errors) EXPECT_NE(error.hint, "") << error.ToString();
  }
}

TEST_F(Message, SaysWhereTheFieldsAreListedThatAreTooManyToName) {
  pb::FieldDescriptorProto out;
  const auto node = ParseOne("{zebra: 1}", "f");
  EXPECT_EQ(Decode(*node, "f", out)[0].hint,
            "remove it, or correct its name: one of: name, number, label, type, "
            "typeName, extendee, defaultValue, oneofIndex, jsonName, options, "
            "proto3Optional");
  pb::FileOptions many;
  EXPECT_EQ(Decode(*node, "f", many)[0].hint, "remove it, or correct its name");
  EXPECT_EQ(Decode(*node, "f", many, {.fields_listed = "the manual lists them"})[0].hint,
            "remove it, or correct its name: the manual lists them");
}

TEST_F(Message, ReadsAnyByItsType) {
  EXPECT_EQ(Errors("any: {\"@type\": type.googleapis.com/google.protobuf.Duration, value: 5s}"), "");
  EXPECT_EQ(Json(), "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"5s\"}}");
  EXPECT_EQ(Errors("any: {\"@type\": type.googleapis.com/google.protobuf.Mixin, name: x}"), "");
  EXPECT_EQ(Json(), "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Mixin\",\"name\":\"x\"}}");
  EXPECT_NE(Errors("any: {\"@type\": type.googleapis.com/no.Such}").find("f.yaml:1:16: any: unknown type"),
            std::string::npos);
  EXPECT_NE(Errors("any: {a: b}").find("\"@type\" is missing"), std::string::npos);
  EXPECT_NE(
      Errors("any: {\"@type\": type.googleapis.com/google.protobuf.Mixin, nam: x}").find("did you mean \"name\"?"),
      std::string::npos);
}

TEST_F(Message, ReadsSpecialAndInlinedTypes) {
  DecodeOptions options;
  options.inlined = [](const pb::FieldDescriptor& field) { return field.name() == "range"; };
  options.special = [](const Node& node, pb::Message& message, std::string& error) {
    if (message.GetDescriptor()->name() != "EnumReservedRange") return false;
    if (node.text != "whole") error = "\"whole\" is expected";
    return true;
  };
  pb::EnumDescriptorProto out;
  EXPECT_TRUE(Decode(*ParseOne("{name: e, reservedRange: [whole]}", "f"), "f", out, options).empty());
  const Diagnostics errors = Decode(*ParseOne("{reservedRange: [half]}", "f"), "f", out, options);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message, "reservedRange[0]: \"whole\" is expected");
}

TEST_F(Message, IsRoundTripped) {
  pb::FileDescriptorProto file;
  ASSERT_TRUE(pb::TextFormat::ParseFromString(kSchema, &file));
  const Node node = Encode(file);
  pb::FileDescriptorProto again;
  EXPECT_TRUE(Decode(*ParseOne(ToYaml(node), "f"), "f", again).empty());
  EXPECT_EQ(again.SerializeAsString(), file.SerializeAsString());
}

}  // namespace
}  // namespace plait::yaml
