#pragma once
// Security policies that fail closed because nobody can say what they mean (semantics.md 5): what that means for
// people, and what becomes of several of one name.
#include <string>

#include "control/model/finding.h"
#include "control/model/objects.h"

namespace plait::control::source {

bool IsPolicy(const model::AnyObject& object) noexcept;
// Whether two policies differ in nothing but where they stand, and in labels, annotations and age, which change
// nothing of what a policy does: kubectl notes in an annotation what it applied. (That of a dry run is a field.)
bool MeanTheSame(const model::AnyObject& a, const model::AnyObject& b);
// The policy as an invalid one, of the same scope.
model::ObjectRef AsInvalid(const model::AnyObject& policy);

// "denies all requests to all workloads in namespace shop": what an invalid policy does.
std::string Closes(const model::AnyObject& policy, const std::string& root_namespace);
// A warning for each invalid policy among `objects`.
model::Findings ClosedPolicies(const std::vector<model::ObjectRef>& objects, const std::string& root_namespace);

}  // namespace plait::control::source
