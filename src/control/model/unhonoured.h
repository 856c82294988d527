#pragma once
// Fields of Istio's kinds that are known and not honoured yet, and those that are taken without an effect. Every other
// field is honoured. A field leaves these tables in the change that makes it work.
#include <string_view>

namespace plait::control::model {
// Null when the field (full protobuf name) is honoured; else a reason, maybe empty.
const char* WhyUnhonoured(std::string_view full_name) noexcept;
// Null, or why a field is accepted and changes nothing here: what is asked for is safely so anyway, or only later.
const char* WhyWithoutEffect(std::string_view full_name) noexcept;
}  // namespace plait::control::model
