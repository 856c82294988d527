#include "core/conn/in_turn.h"

#include <deque>
#include <utility>

namespace plait::conn {
namespace {

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  Turns(io::Loop& loop, OnRequest handler) : loop_(loop), handler_(std::move(handler)) {}

  void AtOnce(Request request, Responder responder) { handler_(std::move(request), std::move(responder)); }
  void Add(Request request, Responder responder) {
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
    AtOnce(std::move(next.request), std::move(next.responder));
  }

  io::Loop& loop_;
  OnRequest handler_;
  std::deque<One> waiting_;
  bool planned_ = false;
};

}  // namespace

OnRequest InTurn(io::Loop& loop, OnRequest handler, bool (*waits)(const Request& request)) {
  return [turns = std::make_shared<Turns>(loop, std::move(handler)), waits](Request request, Responder responder) {
    if (waits(request))
      turns->Add(std::move(request), std::move(responder));
    else
      turns->AtOnce(std::move(request), std::move(responder));
  };
}

}  // namespace plait::conn
