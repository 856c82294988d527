#include "core/conn/in_turn.h"

#include <deque>
#include <utility>

namespace plait::conn {
namespace {

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  Turns(io::Loop& loop, OnRequest handler) : loop_(loop), handler_(std::move(handler)) {}

  void Take(Request request, Responder responder) {
    const std::string_view path = http::PathOnly(request.head.path);
    if (path == "/ready" || path == "/healthz/ready") return handler_(std::move(request), std::move(responder));
    waiting_.push_back({std::move(request), std::move(responder)});
    if (!std::exchange(planned_, true)) Plan();
  }

 private:
  struct One {
    Request request;
    Responder responder;
  };

  // A call that is deferred by a deferred one runs in the next round.
  void Plan() {
    loop_.Defer([turns = weak_from_this()] {
      if (const auto alive = turns.lock()) alive->Next();
    });
  }
  void Next() {
    while (!waiting_.empty() && !waiting_.front().responder.alive()) waiting_.pop_front();
    planned_ = !waiting_.empty();
    if (!planned_) return;
    One next = std::move(waiting_.front());
    waiting_.pop_front();
    Plan();
    handler_(std::move(next.request), std::move(next.responder));
  }

  io::Loop& loop_;
  OnRequest handler_;
  std::deque<One> waiting_;
  bool planned_ = false;
};

}  // namespace

OnRequest InTurn(io::Loop& loop, OnRequest handler) {
  return [turns = std::make_shared<Turns>(loop, std::move(handler))](Request request, Responder responder) {
    turns->Take(std::move(request), std::move(responder));
  };
}

}  // namespace plait::conn
