#pragma once
// Fields of Istio's kinds that are known and not honoured yet. Every other field is. A field leaves this table in the
// change that makes it work.
#include <string_view>

namespace plait::control::model {
// Null when the field (full protobuf name) is honoured; else a reason, maybe empty.
const char* WhyUnhonoured(std::string_view full_name) noexcept;
}  // namespace plait::control::model
