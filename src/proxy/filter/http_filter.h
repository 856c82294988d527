#pragma once
// HTTP filters: what may look at a request before it is routed on, change it, delay it, or answer it.
//
// A filter is immutable configuration, compiled once for a listener and shared by all workers; what it must remember of
// one request (a timer, an origin) it puts into that request's FilterState. Filters never know of each other.
// `Reply` ends the request path; the response hooks of all filters that saw the request still run, last filter first.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/random.h"
#include "core/http/message.h"
#include "core/io/loop.h"
#include "proxy/record/response_flags.h"
#include "proxy/record/stream_record.h"

namespace plait::proxy::filter {

struct Continue {};
// The filter will call `later` exactly once, in a later round, unless the request's filters are destroyed before.
struct Pause {};
// Answer instead of going on. For gRPC requests the session turns it into trailers-only with `grpc_status`, or the
// status that maps from the HTTP code.
struct Reply {
  std::uint16_t status = 500;
  std::string body;
  record::ResponseFlag flag = record::ResponseFlag::kNone;
  std::string details;  // %RESPONSE_CODE_DETAILS%
  http::Headers headers = {};
  std::optional<std::uint32_t> grpc_status = std::nullopt;
};
using Verdict = std::variant<Continue, Pause, Reply>;
using Resume = std::move_only_function<void(Verdict)>;  // never with Pause

// What somebody who only asks about a request cannot say of it, as a line of a log does not. Of a real one all is
// known.
struct UnknownFacts {
  bool headers = false;    // it may have had more than it shows
  bool principal = false;  // of the caller
  bool direct_ip = false;  // of the connection's other end
  bool any() const noexcept { return headers || principal || direct_ip; }
};

// What a filter sees of a request. References are valid until the request ends.
struct RequestView {
  http::RequestHead& head;
  record::StreamRecord& record;  // connection, addresses, flags
  std::string_view cluster;      // that the route chose; empty: no route or no cluster
  io::Loop& loop;
  Random& random;
  UnknownFacts unknown = {};  // for Foresee
};

// What one filter keeps of one request.
class FilterMemory {
 public:
  virtual ~FilterMemory() = default;
};
using FilterState = std::unique_ptr<FilterMemory>;

// Settings of a route, virtual host or weighted cluster for one filter, compiled.
struct FilterOverride {
  virtual ~FilterOverride() = default;
  enum class Switch : std::uint8_t { kKeep, kOff, kOn };
  Switch activation = Switch::kKeep;
};
// By filter name; already merged (the most specific of cluster, route, virtual host, configuration wins).
using FilterOverrides = std::vector<std::pair<std::string, std::shared_ptr<const FilterOverride>>>;

// What a filter would do to a request that is only asked about (/plait/explain).
struct Forecast {
  bool passes = true;
  bool known = true;         // false: it depends on an unknown fact whether it passes
  std::uint16_t status = 0;  // of the reply, when it does not pass
  std::string details = {};  // %RESPONSE_CODE_DETAILS% of that reply
  std::string rule = {};     // that decided
  // Why a rule that would have let the request pass did not match: the first field that differs.
  struct Miss {
    enum class Reason : std::uint8_t {
      kDiffers,
      kUnknown,   // no field is known to differ; whether this one does is not known, and there may be more of these
      kNoRule,    // the policy has no rule
      kOnlyHttp,  // the rule is about requests, and this is a TCP connection
    };
    std::string rule;
    std::string field;
    std::string wants;
    std::string has;  // kDiffers only
    Reason reason = Reason::kDiffers;
    friend bool operator==(const Miss&, const Miss&) = default;
  };
  std::vector<Miss> misses = {};
  std::string note = {};  // what it does to those that pass: "delays 50 % of requests by 7s"
};

class HttpFilter {
 public:
  virtual ~HttpFilter() = default;
  // `settings`: of this filter for the route; null: none.
  virtual Verdict OnRequestHead(RequestView request, const FilterOverride* settings, FilterState& state,
                                Resume& later) const = 0;
  virtual void OnResponseHead(RequestView /*request*/, http::ResponseHead& /*head*/, const FilterOverride* /*settings*/,
                              FilterState& /*state*/) const {}
  // As OnRequestHead decides, without counting, waiting or changing anything. nullopt: it lets every request pass.
  virtual std::optional<Forecast> Foresee(RequestView /*request*/, const FilterOverride* /*settings*/) const {
    return std::nullopt;
  }
};

// The filters of a connection manager but the router, in order.
class HttpFilterChain {
 public:
  struct Entry {
    std::string name;
    std::unique_ptr<const HttpFilter> filter;
    bool disabled = false;  // until a route enables it
  };
  explicit HttpFilterChain(std::vector<Entry> entries) : entries_(std::move(entries)) {}
  const std::vector<Entry>& entries() const noexcept { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// What the chain's filters would do, in their order and by name, up to the first that does not let the request pass.
std::vector<std::pair<std::string, Forecast>> ForeseeAll(const HttpFilterChain& chain, RequestView request,
                                                         const FilterOverrides* overrides);

// One request's way through a chain. Owned by the request; dropping it cancels what filters wait for.
class RequestFilters {
 public:
  RequestFilters() = default;
  explicit RequestFilters(std::shared_ptr<const HttpFilterChain> chain) : chain_(std::move(chain)) {}
  RequestFilters(RequestFilters&&) noexcept = default;
  RequestFilters& operator=(RequestFilters&& other) noexcept {
    states_ = std::move(other.states_);  // what filters kept goes before the filters
    chain_ = std::move(other.chain_);
    next_ = other.next_;
    return *this;
  }

  // Runs filters until one pauses or answers; Continue: all have passed. After a Pause and Resume(Continue) call it
  // again: it goes on behind the filter that paused. `overrides` (may be null) must be the same each time.
  Verdict Run(RequestView request, const FilterOverrides* overrides, Resume& later);
  // Response hooks of the filters that saw the request, last first. Also for local replies.
  void OnResponseHead(RequestView request, http::ResponseHead& head, const FilterOverrides* overrides);

 private:
  std::shared_ptr<const HttpFilterChain> chain_;
  std::size_t next_ = 0;
  std::vector<FilterState> states_;  // empty until a filter keeps something
};

}  // namespace plait::proxy::filter
