#include "proxy/route/header_rules.h"

#include "core/base/strings.h"

namespace plait::proxy::route {
namespace {

Outcome<> CheckName(const std::string& name) {
  if (name.empty() || name[0] == ':' || EqualsIgnoreCase(name, "host")) {
    return Explain(Errc::kInvalidInput, "header operation on '" + name + "'",
                   "Host and fields that begin with ':' are changed by rewrites, not by header operations");
  }
  return {};
}

}  // namespace

Outcome<std::vector<HeaderRules::Addition>> HeaderRules::CompileAdditions(
    const std::vector<xds::HeaderOption>& options) {
  std::vector<Addition> additions;
  for (const xds::HeaderOption& option : options) {
    if (auto ok = CheckName(option.name); !ok) return std::unexpected(ok.error());
    Outcome<record::Format> value = record::Format::Compile(option.value);
    if (!value) {
      Diagnostic why = value.error();
      why.message = "header '" + option.name + "': " + why.message;
      return std::unexpected(std::move(why));
    }
    additions.push_back({option.name, *std::move(value), option.action, option.keep_empty_value});
  }
  return additions;
}

Outcome<std::shared_ptr<const HeaderRules>> HeaderRules::Compile(const xds::HeaderOps& ops) {
  if (ops.empty()) return nullptr;
  auto rules = std::make_shared<HeaderRules>();
  for (const auto* removals : {&ops.request_remove, &ops.response_remove}) {
    for (const std::string& name : *removals) {
      if (auto ok = CheckName(name); !ok) return std::unexpected(ok.error());
    }
  }
  rules->request_remove_ = ops.request_remove;
  rules->response_remove_ = ops.response_remove;
  auto request = CompileAdditions(ops.request_add);
  if (!request) return std::unexpected(request.error());
  rules->request_add_ = *std::move(request);
  auto response = CompileAdditions(ops.response_add);
  if (!response) return std::unexpected(response.error());
  rules->response_add_ = *std::move(response);
  return rules;
}

void HeaderRules::Apply(const std::vector<std::string>& remove, const std::vector<Addition>& add,
                        http::Headers& headers, const record::StreamRecord& record) {
  using Action = xds::HeaderOption::Action;
  for (const std::string& name : remove) headers.Remove(name);
  std::string made;
  for (const Addition& one : add) {
    const std::string* value = one.value.constant();
    if (value == nullptr) {
      made.clear();
      one.value.Append(record, made, /*omit_empty=*/true);
      value = &made;
    }
    if (value->empty() && !one.keep_empty) continue;
    switch (one.action) {
      case Action::kAppendIfExistsOrAdd: headers.Add(one.name, *value); break;
      case Action::kAddIfAbsent:
        if (!headers.Has(one.name)) headers.Add(one.name, *value);
        break;
      case Action::kOverwriteIfExistsOrAdd: headers.Set(one.name, *value); break;
      case Action::kOverwriteIfExists:
        if (headers.Has(one.name)) headers.Set(one.name, *value);
        break;
    }
  }
}

}  // namespace plait::proxy::route
