#include <list>

#include "proxy/cluster/destination_index.h"
#include "proxy/cluster/negative_answers.h"

namespace plait::proxy::cluster {

struct DestinationStore::State {
  struct Question {
    io::IpAddress ip;
    OnFound done;
    Pending timer;
  };
  using Place = std::list<Question>::iterator;
  struct Asked {
    io::IpAddress ip;
    bool overdue = false;  // somebody has waited in vain: the next one asks again
  };
  struct Ask final : Pending::Operation {
    Ask(State& of, Place at) : state(of), alive(of.alive), place(at) {}
    ~Ask() override {
      if (!alive.expired()) state.questions.erase(place);
    }
    State& state;
    std::weak_ptr<int> alive;
    Place place;
  };

  State(DestinationStore& of, io::Loop& on, std::string in, Wire to)
      : store(of), loop(on), network(std::move(in)), wire(std::move(to)), sweep([this] { Sweep(); }) {}

  std::string KeyOf(const io::IpAddress& ip) const { return xds::AddressKey(network, ip); }
  void Commit(IndexUpdate update);
  void Flush();
  Destination Find(const io::IpAddress& ip) const;
  void Answer(Place at);
  void AnswerAll();
  void Remember(const io::IpAddress& ip);
  void Answered(const std::string& key);
  void Settle(const io::IpAddress& ip);
  void SettleAllOf(const io::Cidr& range);
  void DropNegatives(IndexUpdate& update);
  void Sweep();

  DestinationStore& store;
  io::Loop& loop;
  std::string network;
  Wire wire;
  std::unordered_map<std::string, std::shared_ptr<const xds::Address>> entries;  // for Snapshot
  std::list<Question> questions;
  // Keys that are subscribed to: those not answered yet, and those of negatives. An address of the mesh has none.
  std::unordered_map<std::string, Asked> asked;
  NegativeAnswers<io::IpAddress, io::IpHash> negatives;
  IndexUpdate batch;
  int depth = 0;
  bool away = false;
  io::Timer sweep;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
};

DestinationStore::DestinationStore(io::Loop& loop, std::string network, Wire wire)
    : index_(network), state_(std::make_unique<State>(*this, loop, std::move(network), std::move(wire))) {}
DestinationStore::~DestinationStore() = default;

void DestinationStore::SetNetwork(std::string network) {
  index_.SetNetwork(network);
  state_->network = std::move(network);
}

void DestinationStore::State::Commit(IndexUpdate update) {
  store.index_.Apply(update);
  for (auto& put : update.put) batch.put.push_back(std::move(put));
  for (auto& name : update.removed) {
    std::erase_if(batch.put, [&](const auto& put) { return put.first == name; });
    batch.removed.push_back(std::move(name));
  }
  batch.absent.insert(batch.absent.end(), update.absent.begin(), update.absent.end());
  batch.forgotten.insert(batch.forgotten.end(), update.forgotten.begin(), update.forgotten.end());
  if (depth == 0) Flush();
}

void DestinationStore::State::Flush() {
  IndexUpdate all = std::exchange(batch, {});
  if (all.put.empty() && all.removed.empty() && all.absent.empty() && all.forgotten.empty()) return;
  wire.publish(all);
  AnswerAll();
}

Destination DestinationStore::State::Find(const io::IpAddress& ip) const {
  Destination found = store.index_.FindByAddress(ip);
  found.known = found.known || away;
  return found;
}

// Its last act with the question: the callback may drop it.
void DestinationStore::State::Answer(Place at) {
  const Destination found = Find(at->ip);
  OnFound call = std::exchange(at->done, nullptr);
  if (found.known) return call(found);
  if (const auto unanswered = asked.find(KeyOf(at->ip)); unanswered != asked.end()) unanswered->second.overdue = true;
  call(Fail(Errc::kTimedOut, "destination_lookup_timeout"));
}

// Tells those whose address is known now; each in a later round.
void DestinationStore::State::AnswerAll() {
  for (auto at = questions.begin(); at != questions.end(); ++at) {
    if (at->done && Find(at->ip).known) at->timer = loop.After(Duration::zero(), [this, at] { Answer(at); });
  }
}

// Those that are too many or too old.
void DestinationStore::State::DropNegatives(IndexUpdate& update) {
  while (const auto ip = negatives.TakeOver(loop.Now())) {
    update.forgotten.push_back(*ip);
    wire.unsubscribe(KeyOf(*ip));
  }
  if (!negatives.empty() && !sweep.armed()) sweep.Start(loop.timers(), negatives.all().front().until - loop.Now());
}

void DestinationStore::State::Remember(const io::IpAddress& ip) {
  if (negatives.Contains(ip)) return;
  IndexUpdate update;
  negatives.Add(ip, loop.Now());
  DropNegatives(update);
  update.absent.push_back(ip);
  Commit(std::move(update));
}

void DestinationStore::State::Sweep() {
  IndexUpdate update;
  DropNegatives(update);
  Commit(std::move(update));
}

void DestinationStore::State::Answered(const std::string& key) {
  if (asked.erase(key) != 0) wire.unsubscribe(key);
}

// An address that was asked for, or was certainly nothing, is in the mesh now. Once it is so no more, only who asks
// anew is told: its subscription ends, too.
void DestinationStore::State::Settle(const io::IpAddress& ip) {
  if (!store.index_.FindByAddress(ip).in_mesh()) return;
  Answered(KeyOf(ip));
  if (negatives.Erase(ip)) wire.unsubscribe(KeyOf(ip));
}

void DestinationStore::State::SettleAllOf(const io::Cidr& range) {
  if (range.length == range.base.byte_count() * 8) return Settle(range.base);
  std::vector<io::IpAddress> within;
  const auto note = [&](const io::IpAddress& ip) {
    if (range.Contains(ip)) within.push_back(ip);
  };
  for (const auto& negative : negatives.all()) note(negative.key);
  for (const auto& [key, question] : asked) note(question.ip);
  for (const io::IpAddress& ip : within) Settle(ip);
}

void DestinationStore::Put(std::string name, const std::vector<std::string>& aliases,
                           std::shared_ptr<const xds::Address> address) {
  state_->entries[name] = address;
  IndexUpdate update;
  update.put.emplace_back(std::move(name), address);
  state_->Commit(std::move(update));
  for (const std::string& alias : aliases) state_->Answered(alias);
  if (const auto* workload = std::get_if<xds::Workload>(&address->value)) {
    for (const io::IpAddress& ip : workload->addresses) state_->Settle(ip);
  } else {
    for (const auto& vip : std::get<xds::Service>(address->value).addresses) state_->SettleAllOf(vip.address);
  }
}

void DestinationStore::Removed(const std::string& name) {
  if (const auto at = state_->asked.find(name); at != state_->asked.end()) {
    const io::IpAddress ip = at->second.ip;
    state_->asked.erase(at);
    return state_->Remember(ip);
  }
  if (state_->entries.erase(name) == 0) return;
  IndexUpdate update;
  update.removed.push_back(name);
  state_->Commit(std::move(update));
}

void DestinationStore::SetControlPlaneAway(bool away) {
  if (std::exchange(state_->away, away) != away && away) state_->AnswerAll();
}

void DestinationStore::BeginBatch() { ++state_->depth; }
void DestinationStore::EndBatch() {
  if (--state_->depth == 0) state_->Flush();
}

IndexUpdate DestinationStore::Snapshot() const {
  IndexUpdate all;
  for (const auto& [name, address] : state_->entries) all.put.emplace_back(name, address);
  for (const auto& negative : state_->negatives.all()) all.absent.push_back(negative.key);
  return all;
}

Pending DestinationStore::Lookup(const io::IpAddress& ip, Duration limit, OnFound done) {
  State& state = *state_;
  const bool known = state.Find(ip).known;
  const auto at = state.questions.insert(state.questions.end(), {.ip = ip, .done = std::move(done), .timer = {}});
  at->timer = state.loop.After(known ? Duration::zero() : limit, [&state, at] { state.Answer(at); });
  if (!known) {
    const std::string key = state.KeyOf(ip);
    const auto [asked, first] = state.asked.try_emplace(key, State::Asked{.ip = ip});
    const bool again = std::exchange(asked->second.overdue, false);
    if (again) state.wire.unsubscribe(key);  // a name is answered when it is said anew
    if (first || again) state.wire.subscribe(key);
  }
  return Pending(std::make_unique<State::Ask>(state, at));
}

}  // namespace plait::proxy::cluster
