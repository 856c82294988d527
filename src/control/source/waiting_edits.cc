#include "control/source/waiting_edits.h"

#include <algorithm>
#include <map>
#include <optional>

#include "control/model/snapshot.h"
#include "control/source/closed_policies.h"

namespace plait::control::source {
namespace {
using model::Kind;
using Objects = std::vector<model::ObjectRef>;

bool NamesOthers(Kind kind) {
  switch (kind) {
    case Kind::kVirtualService:
    case Kind::kDestinationRule:
    case Kind::kEndpointSlice:
    case Kind::kEndpoints:
    case Kind::kStatefulSet: return true;
    default: return false;
  }
}

// Whom names are of, and what they lead to.
bool CountsFor(Kind kind) {
  switch (kind) {
    case Kind::kService:
    case Kind::kServiceEntry:
    case Kind::kGateway:
    case Kind::kConfigMap: return true;  // MeshConfig says what is visible where
    default: return NamesOthers(kind);
  }
}

// A name that leads to nothing. It has no place, since an edit moves lines, and is not its object's: renaming that
// makes no new name. Whom a short name means depends on the namespace.
struct Name {
  std::string of;  // "VirtualService default"
  std::string message;
  auto operator<=>(const Name&) const = default;
};
// Of one file, with the objects that have them.
using Names = std::map<Name, std::map<std::string, model::Finding>>;
using Missing = std::map<std::string, Names>;  // by path

Missing MissingIn(Objects objects, const model::MeshConfig& mesh) {
  std::erase_if(objects, [](const model::ObjectRef& object) { return !CountsFor(model::MetaOf(*object).key.kind); });
  model::SnapshotOptions options;
  options.mesh = mesh;
  Missing out;
  const model::SnapshotRef snapshot = model::Snapshot::Build(std::move(objects), nullptr, options);
  for (const model::Finding& finding : snapshot->findings()) {
    if (finding.remedy.empty()) continue;
    const Diagnostic& said = finding.diagnostic;
    out[said.at.file][{said.object.substr(0, said.object.rfind('/')), said.message}].emplace(said.object, finding);
  }
  return out;
}

bool Has(const Missing& missing, const std::string& file, const Name& name) {
  const auto names = missing.find(file);
  return names != missing.end() && names->second.contains(name);
}

model::Findings AsErrors(const EditedFile& edit, const Names& names) {
  const std::string until = edit.last_good->empty()
                                ? "; until then nothing of this file is in force, and then it takes effect by itself"
                                : "; until then the last good version of this file stays in force, and then this edit "
                                  "takes effect by itself";
  model::Findings out;
  for (const auto& [name, objects] : names)
    for (const auto& [object, finding] : objects) {
      model::Finding& error = out.emplace_back(finding);
      error.severity = model::Severity::kError;
      error.diagnostic.hint = finding.remedy + until;
    }
  std::stable_sort(out.begin(), out.end(), [](const model::Finding& a, const model::Finding& b) {
    const Position& x = a.diagnostic.at;
    const Position& y = b.diagnostic.at;
    return std::pair(x.line, x.column) < std::pair(y.line, y.column);
  });
  return out;
}

model::Finding NotHeld(const EditedFile& edit, const model::ObjectKey& policy, const Names& names) {
  const auto& [name, objects] = *names.begin();
  const auto& [object, finding] = *objects.begin();
  return {model::Severity::kWarning,
          {.message = "this edit is in force although it names what is not there (" + object + ": " + name.message +
                      "): it changes " + policy.ToString() + ", and a security policy does not wait",
           .at = {.file = edit.path},
           .hint = finding.remedy + "; edits of a file without security policies wait for what they name"}};
}

// Security policies as they are meant: without their places.
using Policies = std::map<model::ObjectKey, model::AnyObject>;

Policies PoliciesOf(const Objects& objects) {
  Policies out;
  for (const model::ObjectRef& object : objects) {
    if (!IsPolicy(*object)) continue;
    model::AnyObject policy = *object;
    std::visit([](auto& one) { one.meta.at = {}; }, policy);
    out.emplace(model::MetaOf(*object).key, std::move(policy));
  }
  return out;
}

// A security policy that the edit adds, changes or removes.
std::optional<model::ObjectKey> ChangedPolicy(const EditedFile& edit) {
  const Policies before = PoliciesOf(*edit.last_good);
  const Policies after = PoliciesOf(*edit.written);
  for (const auto& [key, policy] : after)
    if (const auto old = before.find(key); old == before.end() || old->second != policy) return key;
  for (const auto& [key, policy] : before)
    if (!after.contains(key)) return key;
  return std::nullopt;
}

class Search {
 public:
  Search(const std::vector<EditedFile>& edited, const std::function<Objects(const std::vector<bool>&)>& objects_if,
         const model::MeshConfig& mesh)
      : edited_(edited), objects_if_(objects_if), mesh_(mesh), waits_(edited.size()), out_(edited.size()) {
    for (const EditedFile& edit : edited) policies_.push_back(ChangedPolicy(edit));
  }

  Waiting Run() {
    for (std::map<std::size_t, Names> faulty = Faulty(); !faulty.empty(); faulty = Faulty())
      for (const std::size_t i : ToHold(faulty)) {
        waits_[i] = true;
        out_[i] = AsErrors(edited_[i], faulty.at(i));
      }
    for (const auto& [i, names] : Faulty(/*may_wait=*/false)) out_[i] = {NotHeld(edited_[i], *policies_[i], names)};
    return std::move(out_);
  }

 private:
  bool MayWait(std::size_t i) const { return !policies_[i]; }

  // The edits in force that make names lead to nothing, with these names: of those that may wait, or of the others.
  std::map<std::size_t, Names> Faulty(bool may_wait = true) const {
    if (std::none_of(policies_.begin(), policies_.end(), [&](const auto& policy) { return !policy == may_wait; }))
      return {};
    std::map<std::size_t, Names> out;
    const Missing now = MissingIn(objects_if_(waits_), mesh_);
    std::vector<bool> without = waits_;
    for (std::size_t i = 0; i < edited_.size(); ++i)
      if (const auto names = now.find(edited_[i].path); !waits_[i] && MayWait(i) == may_wait && names != now.end()) {
        out.emplace(i, names->second);
        without[i] = true;
      }
    if (out.empty()) return out;
    const Missing before = MissingIn(objects_if_(without), mesh_);
    for (auto& [i, names] : out)
      std::erase_if(names, [&](const auto& name) { return Has(before, edited_[i].path, name.first); });
    std::erase_if(out, [](const auto& file) { return file.second.empty(); });
    return out;
  }

  // An edit may lack only what another one removed that will have to wait itself: then it must not wait. So first those
  // wait which would lack something even if all that was removed were still there, then those which would do so if only
  // the faulty ones had removed nothing. If they all take from each other, one of them waits.
  std::vector<std::size_t> ToHold(const std::map<std::size_t, Names>& faulty) const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < edited_.size(); ++i)
      if (MayWait(i)) all.push_back(i);
    std::vector<std::size_t> some;
    for (const auto& [i, names] : faulty) some.push_back(i);
    for (const std::vector<std::size_t>& returned : {all, some})
      if (std::vector<std::size_t> out = LackingBeside(returned, faulty); !out.empty()) return out;
    return {some.back()};
  }

  // Those of `faulty` which lack something also if the last good versions of `returned` stood beside what is in force.
  std::vector<std::size_t> LackingBeside(const std::vector<std::size_t>& returned,
                                         const std::map<std::size_t, Names>& faulty) const {
    Objects objects = objects_if_(waits_);
    for (const std::size_t i : returned)
      if (!waits_[i]) objects.insert(objects.end(), edited_[i].last_good->begin(), edited_[i].last_good->end());
    const Missing missing = MissingIn(std::move(objects), mesh_);
    std::vector<std::size_t> out;
    for (const auto& [i, names] : faulty)
      if (std::any_of(names.begin(), names.end(),
                      [&, file = edited_[i].path](const auto& name) { return Has(missing, file, name.first); }))
        out.push_back(i);
    return out;
  }

  const std::vector<EditedFile>& edited_;
  const std::function<Objects(const std::vector<bool>&)>& objects_if_;
  const model::MeshConfig& mesh_;
  std::vector<std::optional<model::ObjectKey>> policies_;  // that each changes; none: it may wait
  std::vector<bool> waits_;
  Waiting out_;
};
}  // namespace

bool NameOthers(const std::vector<model::ObjectRef>& objects) {
  return std::any_of(objects.begin(), objects.end(),
                     [](const model::ObjectRef& object) { return NamesOthers(model::MetaOf(*object).key.kind); });
}

Waiting FindWaiting(const std::vector<EditedFile>& edited,
                    const std::function<std::vector<model::ObjectRef>(const std::vector<bool>&)>& objects_if,
                    const model::MeshConfig& mesh) {
  return Search(edited, objects_if, mesh).Run();
}

}  // namespace plait::control::source
