#include "local/resolver_sockets.h"

#include <algorithm>

#include "core/base/strings.h"

namespace plait::local {

struct ResolverSockets::Asked final : Pending::Operation {
  Asked(ResolverSockets& of, OnSockets with) : owner(&of), done(std::move(with)) {}
  ~Asked() override {
    if (owner) std::replace(owner->waiting_.begin(), owner->waiting_.end(), this, static_cast<Asked*>(nullptr));
  }
  ResolverSockets* owner;  // null once it is answered, or the owner is gone
  OnSockets done;
  Pending failure;
};

ResolverSockets::~ResolverSockets() {
  for (Asked* asked : waiting_)
    if (asked) asked->owner = nullptr;
}

Pending ResolverSockets::Ask(OnSockets done) {
  auto asked = std::make_unique<Asked>(*this, std::move(done));
  waiting_.push_back(asked.get());
  SendNext();
  return Pending(std::move(asked));
}

void ResolverSockets::SendNext() {
  while (!sent_ && !waiting_.empty()) {
    Asked* const next = waiting_.front();
    sent_ = next && ask_();
    if (sent_) return;
    waiting_.pop_front();
    if (!next) continue;
    // A proxy without resolvers still answers for the mesh.
    next->owner = nullptr;
    next->failure = loop_.After(Duration::zero(), [next] {
      OnSockets call = std::move(next->done);
      call({});  // may drop the handle
    });
  }
}

void ResolverSockets::OnAnswer(const std::string& names, std::vector<io::UniqueFd> fds) {
  if (!sent_) return;
  sent_ = false;
  Asked* const asked = waiting_.front();
  waiting_.pop_front();
  if (asked) {
    std::vector<node::NamedSocket> sockets;
    const std::vector<std::string_view> texts = Split(names, ':');
    for (std::size_t i = 0; i < fds.size() && i < texts.size(); ++i)
      sockets.push_back({std::string(texts[i]), std::move(fds[i])});
    asked->owner = nullptr;
    OnSockets call = std::move(asked->done);
    call(std::move(sockets));  // may drop the handle
  }
  SendNext();
}

}  // namespace plait::local
