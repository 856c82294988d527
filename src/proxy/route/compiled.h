#pragma once
// Inner form of RouteTable: domain tables and routes with their matchers.
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/strings.h"
#include "proxy/match/string_match.h"
#include "proxy/route/header_rules.h"
#include "proxy/route/route_table.h"

namespace plait::proxy::route {

struct CompiledHost;

struct CompiledRoute final : RouteEntry {
  const CompiledHost* host = nullptr;
  const xds::PathMatch* path = nullptr;
  std::shared_ptr<const re2::RE2> path_regex;
  std::vector<match::HeaderMatch> headers;
  std::vector<match::QueryMatch> query;
  std::shared_ptr<const HeaderRules> rules;       // of the route
  std::shared_ptr<const re2::RE2> rewrite_regex;  // of route or redirect
  std::shared_ptr<const re2::RE2> host_regex;
  std::vector<std::shared_ptr<const re2::RE2>> hash_regexes;  // by hash policy; null where none
  std::uint64_t total_weight = 0;

  bool Matches(const http::RequestHead& head, std::string_view path_only, const MatchInput& input) const;
};

struct CompiledHost {
  const xds::VirtualHost* config = nullptr;
  std::shared_ptr<const HeaderRules> rules;
  std::vector<CompiledRoute> routes;
};

struct RouteTable::Compiled {
  template <class T>
  using ByName = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;
  // Longest first, so that the first hit wins.
  using ByLength = std::map<std::size_t, ByName<const CompiledHost*>, std::greater<>>;

  std::vector<std::unique_ptr<CompiledHost>> hosts;
  ByName<const CompiledHost*> exact;
  ByLength suffixes;  // "*.a" by ".a"
  ByLength prefixes;  // "a.*" by "a."
  const CompiledHost* any = nullptr;
  std::shared_ptr<const HeaderRules> rules;

  // `any_too`: the virtual host "*" counts.
  const CompiledHost* FindHost(std::string_view authority, bool ignore_port, bool any_too) const;
  Outcome<> AddDomain(const std::string& domain, const CompiledHost& host);
};

// Every RouteEntry of a table is one.
inline const CompiledRoute& Full(const RouteEntry& entry) { return static_cast<const CompiledRoute&>(entry); }

Outcome<std::unique_ptr<CompiledHost>> CompileHost(const xds::RouteConfiguration& config, const xds::VirtualHost& host);

}  // namespace plait::proxy::route
