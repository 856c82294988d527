#pragma once
// Internal to control/model: what may be a security policy and cannot be read as one. A policy must not vanish by a
// mistake in its head, its metadata or its YAML: an invalid object stands for it, which fails closed in its scope
// (semantics.md 5). What of name, namespace and selector can be read, counts; else it is for the whole namespace, which
// is the default one where none can be read, and is called by its place.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/model/decode.h"
#include "core/yaml/node.h"

namespace plait::control::model {

inline constexpr std::string_view kSecurityGroup = "security.istio.io";

// What a document is meant to be, by its kind and apiVersion, each of which may be mistaken or missing: of a kind that
// nobody knows, an AuthorizationPolicy. nullopt: it is no security policy.
std::optional<Kind> MeantPolicy(const yaml::Node& document);

// An invalid object of a security kind for a document whose head or metadata cannot be used.
void KeepUnreadPolicy(const yaml::Node& document, Kind kind, const std::string& file, const DecodeContext& context,
                      Decoded& out);
// The same for each policy in a tree that is no object as a whole, such as a list.
void KeepUnreadPolicies(const yaml::Node& tree, const std::string& file, const DecodeContext& context, Decoded& out);
// The same for text that is no YAML. It counts as a policy by what is found in it, wherever that stands but in a
// comment: the version of a security policy, its kind, or neither kind nor version but a beginning of them. An object
// for each namespace that is named. `line`: where the text begins.
void KeepBrokenPolicies(std::string_view text, std::uint32_t line, const std::string& file,
                        const DecodeContext& context, Decoded& out);

}  // namespace plait::control::model
