#include "proxy/route/header_rules.h"

#include <algorithm>

#include "core/base/strings.h"

namespace plait::proxy::route {
namespace {

bool Replaces(xds::HeaderOption::Action action) {
  using Action = xds::HeaderOption::Action;
  return action == Action::kOverwriteIfExistsOrAdd || action == Action::kOverwriteIfExists;
}

bool Applies(xds::HeaderOption::Action action, const std::string& name, const http::Headers& headers) {
  using Action = xds::HeaderOption::Action;
  if (action == Action::kAddIfAbsent) return !headers.Has(name);
  return action != Action::kOverwriteIfExists || headers.Has(name);
}

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
  std::stable_partition(additions.begin(), additions.end(), [](const Addition& one) { return Replaces(one.action); });
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
  for (const std::string& name : remove) headers.Remove(name);
  if (add.empty()) return;
  struct Made {
    const Addition& of;
    std::size_t begin, size;  // of the value in `text`
  };
  // Reused: nothing that is called from here comes back to it.
  thread_local std::string text;
  thread_local std::vector<Made> all;
  text.clear();
  all.clear();
  for (const Addition& one : add) {
    const std::size_t begin = text.size();
    one.value.Append(record, text, /*omit_empty=*/true);
    const std::size_t size = text.size() - begin;
    if ((size > 0 || one.keep_empty) && Applies(one.action, one.name, headers)) all.push_back({one, begin, size});
  }
  for (const Made& made : all) {
    if (Replaces(made.of.action)) headers.Remove(made.of.name);
    headers.Add(made.of.name, std::string_view(text).substr(made.begin, made.size));
  }
}

}  // namespace plait::proxy::route
