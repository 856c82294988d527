#include "control/source/config_files.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <unordered_set>

#include "control/model/finding_limit.h"
#include "control/source/closed_policies.h"
#include "control/source/waiting_edits.h"
#include "core/yaml/parse.h"
#include "core/yaml/print.h"

namespace plait::control::source {
namespace {
// Of one cause, so that none hides another.
void AddBounded(model::Findings& to, model::Findings added) {
  model::LimitFindings(added);
  std::move(added.begin(), added.end(), std::back_inserter(to));
}

bool IsLocalImages(const std::string& path) { return path == "local.yaml" || path.ends_with("/local.yaml"); }

std::string NameOf(std::string_view kind, std::string_view name_space, std::string_view name) {
  std::string out(kind);
  return out.append(" ").append(name_space.empty() ? "default" : name_space).append("/").append(name);
}

using Names = std::map<std::string, std::string>;

// Only those of `wanted`.
void AddWritten(const yaml::Node& object, const std::set<std::string>& wanted, Names& out) {
  const std::string_view kind = object.FindText("kind");
  if (const yaml::Node* items = object.Find("items"); items != nullptr && kind.ends_with("List")) {
    for (const yaml::Node& item : items->items) AddWritten(item, wanted, out);
  } else if (const yaml::Node* meta = object.Find("metadata")) {
    std::string name = NameOf(kind, meta->FindText("namespace"), meta->FindText("name"));
    if (wanted.contains(name)) out.emplace(std::move(name), yaml::ToJson(object));
  }
}

std::string Place(const Position& at) {
  return at.file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

model::Finding Twice(const model::Meta& meta, std::string message, std::string hint) {
  return {model::Severity::kError,
          {.message = std::move(message), .object = meta.key.ToString(), .at = meta.at, .hint = std::move(hint)},
          "IST0106"};
}

// The file has other lines now.
void TellOfLastGood(model::Finding& finding) {
  std::string& hint = finding.diagnostic.hint;
  hint.append(hint.empty() ? "" : "; ");
  hint += "line and column are those of its file's last good version, which is in force";
}

model::Finding StaysInForce(const std::string& path) {
  return {model::Severity::kWarning,
          {.message = "the last good version of this file stays in force",
           .at = {.file = path},
           .hint = "correct the errors of this file"}};
}

struct Images {
  LocalImages images;
  model::Findings findings;
};

Images ReadImages(const std::string& text, const std::string& path) {
  Images out;
  out.images.Add(text, path, out.findings);
  return out;
}

// Objects that stand twice in one file: the file is bad, and without a last good version its first ones are in force.
// Of security policies that say different things nobody knows which is meant: each of them is invalid.
void RemoveRepeated(model::Decoded& decoded) {
  std::map<model::ObjectKey, std::size_t> seen;  // the place of the first in `kept`
  std::set<model::ObjectKey> doubtful;
  std::vector<model::ObjectRef> kept;
  model::Findings repeated;
  for (model::ObjectRef& object : decoded.objects) {
    const model::Meta& meta = model::MetaOf(*object);
    const auto [place, added] = seen.emplace(meta.key, kept.size());
    if (!added) {
      const model::AnyObject& first = *kept[place->second];
      repeated.push_back(Twice(meta, "the object stands twice in this file; first at " + Place(model::MetaOf(first).at),
                               "remove or rename one of them"));
      if (!IsPolicy(*object) || MeanTheSame(first, *object)) continue;
      doubtful.insert(meta.key);
    }
    kept.push_back(std::move(object));
  }
  AddBounded(decoded.findings, std::move(repeated));
  for (model::ObjectRef& object : kept)
    if (doubtful.contains(model::MetaOf(*object).key)) object = AsInvalid(*object);
  decoded.objects = std::move(kept);
}

// Whether it was looked at and could not be read, which `scan` tells.
bool IsUnread(const std::string& path, const Scan& scan) {
  return std::any_of(scan.unread.begin(), scan.unread.end(), [&](const Unread& one) { return one.path == path; }) ||
         std::any_of(scan.findings.begin(), scan.findings.end(), [&](const model::Finding& finding) {
           return finding.severity == model::Severity::kError && finding.diagnostic.at.file == path;
         });
}

bool IsBelow(const std::string& path, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [&](const std::string& folder) { return path.starts_with(folder + "/"); });
}
}  // namespace

std::string ObjectName(const model::Meta& meta) {
  return NameOf(model::KindName(meta.key.kind), meta.name_space(), meta.name());
}

model::Findings ConfigFiles::OfVersionsInForce(model::Findings findings) const {
  std::unordered_set<std::string_view> changed;
  for (const auto& [real_path, file] : files_)
    if (file.stands_in()) changed.insert(file.path);
  for (model::Finding& finding : findings)
    if (finding.diagnostic.at.line != 0 && changed.contains(finding.diagnostic.at.file)) TellOfLastGood(finding);
  return findings;
}

std::map<std::string, std::string> ConfigFiles::Written() const {
  std::map<std::string, std::set<std::string>> wanted;  // by path: the same object may stand in another file, too
  for (const model::ObjectRef& object : objects_) {
    const model::Meta& meta = model::MetaOf(*object);
    wanted[meta.at.file].insert(ObjectName(meta));
  }
  Names out;
  for (const auto& [real_path, file] : files_) {
    for (const yaml::Part& part : yaml::ParseEach(file.in_force().text, file.path)) {
      if (!part.documents) continue;
      for (const yaml::Node& document : *part.documents) AddWritten(document, wanted[file.path], out);
    }
  }
  return out;
}

Contents ConfigFiles::contents() const {
  Contents out{.files = files_.size()};
  for (const model::ObjectRef& object : objects_) out.kinds.emplace(model::KindName(model::MetaOf(*object).key.kind));
  for (const auto& [real_path, file] : files_) out.kinds.insert(file.ignored_kinds.begin(), file.ignored_kinds.end());
  return out;
}

bool ConfigFiles::Has(const ScannedFile& scanned) const {
  const auto known = files_.find(scanned.real_path);
  return known != files_.end() && known->second.written.text == scanned.text && known->second.path == scanned.path &&
         known->second.cut == scanned.cut;
}

bool ConfigFiles::Knows(const ScannedFile& scanned) const {
  return files_.contains(scanned.real_path) || last_good_.Find(scanned.real_path).has_value();
}

bool ConfigFiles::Update(const Scan& scan) {
  bool changed = first_;
  if (first_) {
    last_good_.ForgetDeleted(scan.unreadable_roots);
    owners_ = last_good_.FindOwners();
  }
  for (const ScannedFile& scanned : scan.files) {
    if (Has(scanned)) continue;
    if (scanned.cut && IsLocalImages(scanned.path)) {  // a part of it is not what somebody wrote
      if (first_) TakeKept(scanned.path, scanned.real_path);
      continue;
    }
    File& file = files_[scanned.real_path];
    changed = true;
    Decode(scanned, file);
  }
  if (first_) TakeUnreadable(scan);
  changed |= RemoveDeleted(scan);
  if (changed) ChooseVersions();
  KeepVersions();
  first_ = false;
  const auto before = std::move(findings_);
  Collect(scan);
  return changed || findings_ != before;
}

// What cannot be read when plaitd starts: what it said when it last could be is in force, or policies would vanish.
void ConfigFiles::TakeUnreadable(const Scan& scan) {
  for (const std::string& path : scan.unreadable_files) TakeKept(path, path);
  for (const std::string& root : scan.unreadable_roots)
    for (const auto& [path, real_path] : last_good_.FindBelow(root)) TakeKept(path, real_path);
}

void ConfigFiles::TakeKept(const std::string& path, const std::string& real_path) {
  if (files_.contains(real_path)) return;
  auto text = last_good_.Find(real_path);
  if (!text) return;
  File& file = files_[real_path];
  Decode({path, real_path, *std::move(text)}, file);
  file.written.kept = true;
}

void ConfigFiles::Decode(const ScannedFile& scanned, File& file) {
  File before = std::exchange(file, {.path = scanned.path,
                                     .real_path = scanned.real_path,
                                     .local_images = IsLocalImages(scanned.path),
                                     .cut = scanned.cut,
                                     .written = {.text = scanned.text}});
  if (file.local_images) return DecodeImages(file, std::move(before));
  model::Decoded decoded = scanned.cut ? model::DecodeBeginning(scanned.text, scanned.path, context_)
                                       : model::DecodeText(scanned.text, scanned.path, context_);
  RemoveRepeated(decoded);
  file.written.objects = std::move(decoded.objects);
  file.findings = std::move(decoded.findings);
  file.ignored_kinds = std::move(decoded.ignored_kinds);
  file.bad = file.cut || model::HasErrors(file.findings);
  if (file.bad || NameOthers(file.written.objects)) file.last_good = FindLastGood(file, std::move(before));
  // What says nothing is nothing to fall back on: an invalid policy in its place would deny nobody.
  if (file.bad && file.last_good && file.last_good->objects.empty()) file.last_good.reset();
  if (!file.bad) {
    if (file.last_good && file.last_good->text == file.written.text) {
      file.written.kept = file.last_good->kept;  // not written anew at each start
      file.last_good.reset();
    }
  } else if (file.last_good) {
    file.findings.push_back(StaysInForce(scanned.path));
  } else {
    const char* in_force = file.cut ? "of what could be read of it, what is valid is in force, and policies that are "
                                      "invalid or may be cut off deny; what follows, a policy too, is not in force"
                                    : "what is valid in it is in force, and invalid policies deny";
    file.findings.push_back(
        {model::Severity::kWarning,
         {.message = std::string("the file has no last good version: ") + in_force, .at = {.file = scanned.path}}});
    AddBounded(file.findings, ClosedPolicies(file.written.objects, mesh_.root_namespace));
  }
}

void ConfigFiles::DecodeImages(File& file, File before) const {
  AddBounded(file.findings, ReadImages(file.written.text, file.path).findings);
  file.bad = model::HasErrors(file.findings);
  if (!file.bad) return;
  file.last_good = FindGoodImages(file, std::move(before));
  if (file.last_good) file.findings.push_back(StaysInForce(file.path));
}

// As FindLastGood; what names no image is nothing to fall back on here, either.
std::optional<ConfigFiles::Version> ConfigFiles::FindGoodImages(const File& file, File before) const {
  if (!last_good_.keeps()) return std::nullopt;
  std::optional<Version> found;
  if (before.local_images && before.stands_in())
    found = *std::move(before.last_good);
  else if (before.local_images && !before.bad)
    found = std::move(before.written);
  else if (auto text = last_good_.Find(file.real_path))
    found = Version{.text = *std::move(text), .objects = {}, .kept = true};
  if (!found) return std::nullopt;
  const Images good = ReadImages(found->text, file.path);
  if (model::HasErrors(good.findings) || good.images == LocalImages{}) return std::nullopt;
  return found;
}

// What was in force until now; only of a file that is new here, what is on disk: that is older where it could not be
// written.
std::optional<ConfigFiles::Version> ConfigFiles::FindLastGood(const File& file, File before) const {
  if (!last_good_.keeps()) return std::nullopt;
  std::optional<Version> found;
  if (before.stands_in())
    found = *std::move(before.last_good);
  else if (!before.real_path.empty() && !before.bad && !before.local_images)
    found = std::move(before.written);
  if (found && before.path == file.path) return found;  // its objects say where they stand
  if (!found) {
    if (auto text = last_good_.Find(file.real_path))
      found = Version{.text = *std::move(text), .objects = {}, .kept = true};
    else if (before.real_path.empty() && IsNewRouting(file))
      return Version{};  // without it: as after the first start that saw it, so on disk, too
    else
      return std::nullopt;
  }
  if (!file.bad && found->text == file.written.text) return found;  // nothing to fall back to: only whether it is kept
  model::Decoded decoded = model::DecodeText(found->text, file.path, context_);
  RemoveRepeated(decoded);
  // Kept by another release that read it differently: then it is no better than the file itself.
  if (model::HasErrors(decoded.findings)) return std::nullopt;
  found->objects = std::move(decoded.objects);
  return found;
}

// Routing that is added to what runs. A file with workloads and Services in it does not wait for one wrong name, nor
// does a first start.
bool ConfigFiles::IsNewRouting(const File& file) const {
  if (first_ || file.bad) return false;
  const auto& objects = file.written.objects;
  return std::none_of(objects.begin(), objects.end(), [&](const model::ObjectRef& object) {
    const model::Meta& meta = model::MetaOf(*object);
    const bool routing = meta.key.kind == model::Kind::kVirtualService ||
                         meta.key.kind == model::Kind::kDestinationRule || meta.key.kind == model::Kind::kGateway;
    return !routing || owners_.contains(ObjectName(meta));  // moved here
  });
}

bool ConfigFiles::RemoveDeleted(const Scan& scan) {
  std::set<std::string_view> present;
  for (const ScannedFile& file : scan.files) present.insert(file.real_path);
  for (const std::string& path : scan.unreadable_files) present.insert(path);
  std::set<std::string_view> unread;  // links may have led elsewhere when they could be read
  for (const Unread& one : scan.unread) unread.insert(one.path);
  const auto gone = [&](const auto& entry) {
    // A directory that cannot be read says nothing of its files.
    return !present.contains(entry.first) && !unread.contains(entry.second.path) &&
           !IsBelow(entry.second.path, scan.unreadable_roots);
  };
  bool removed = false;
  for (auto it = files_.begin(); it != files_.end();) {
    if (!gone(*it)) {
      ++it;
      continue;
    }
    last_good_.Forget(it->first);
    it = files_.erase(it);
    removed = true;
  }
  return removed;
}

std::vector<const ConfigFiles::File*> ConfigFiles::InOrder() const {
  std::vector<const File*> out;
  for (const auto& [real_path, file] : files_) out.push_back(&file);
  std::sort(out.begin(), out.end(), [](const File* a, const File* b) { return a->path < b->path; });
  return out;
}

// Of all edits that are not the last good version yet, not only of those that are new: what one of them waited for may
// be there now.
void ConfigFiles::ChooseVersions() {
  const std::vector<const File*> in_order = InOrder();
  std::vector<EditedFile> edited;
  std::map<const File*, std::size_t> place;  // in `edited`
  for (const File* file : in_order)
    if (file->last_good && !file->bad) {
      place.emplace(file, edited.size());
      edited.push_back({file->path, &file->last_good->objects, &file->written.objects});
    }
  if (edited.empty()) return;
  const auto objects_if = [&](const std::vector<bool>& waits) {
    std::vector<Share> shares;
    for (const File* file : in_order) {
      const auto edit = place.find(file);
      const bool asked = edit != place.end();
      const Version& version = !asked ? file->in_force() : waits[edit->second] ? *file->last_good : file->written;
      shares.push_back({file, &version.objects});
    }
    std::unordered_set<const model::ObjectRef*> in_force;
    for (const auto& [name, chosen] : Choose(shares))
      for (const Candidate& one : chosen.objects) in_force.insert(one.object);
    std::vector<model::ObjectRef> out;
    for (const Share& share : shares)
      for (const model::ObjectRef& object : *share.objects)
        if (in_force.contains(&object)) out.push_back(object);
    return out;
  };
  Waiting waiting = FindWaiting(edited, objects_if, mesh_);
  for (auto& [real_path, file] : files_)
    if (const auto edit = place.find(&file); edit != place.end()) {
      file.missing = std::move(waiting[edit->second]);
      model::LimitFindings(file.missing);
      file.waits = model::HasErrors(file.missing);
    }
}

// What is in force becomes the last good version, and nothing else does. What could not be written is tried again.
void ConfigFiles::KeepVersions() {
  for (auto& [real_path, file] : files_) {
    if (file.bad && !file.last_good) continue;
    // An edit that is told to be in force without what it names is compared with the version before it until that is
    // there.
    if (!file.stands_in() && file.missing.empty()) file.last_good.reset();
    Version& in_force = file.stands_in() ? *file.last_good : file.written;
    if (in_force.kept) continue;
    const Outcome<> kept = last_good_.Keep(real_path, in_force.text);
    in_force.kept = kept.has_value();
    file.unkept.clear();
    if (!kept) file.unkept.push_back({model::Severity::kWarning, kept.error()});
  }
}

bool ConfigFiles::Chosen::Has(const model::ObjectRef& object) const noexcept {
  return std::any_of(objects.begin(), objects.end(), [&](const Candidate& one) { return one.object == &object; });
}

std::unordered_map<std::string, ConfigFiles::Chosen> ConfigFiles::Choose(const std::vector<Share>& shares) const {
  std::unordered_map<std::string, Chosen> out;
  for (const auto& [file, objects] : shares)
    for (const model::ObjectRef& object : *objects)
      out[ObjectName(model::MetaOf(*object))].objects.push_back({file, &object});
  for (auto& [name, chosen] : out) {
    std::vector<Candidate>& all = chosen.objects;
    if (all.size() == 1) continue;
    const File* file = all.front().file;
    bool had = false;
    if (const auto owner = owners_.find(name); owner != owners_.end())
      for (const Candidate& one : all)
        if (one.file->real_path == owner->second) {
          file = one.file;
          had = true;
        }
    chosen.contested = !had && IsPolicy(**all.front().object) && all.back().file != file &&
                       std::any_of(all.begin(), all.end(), [&](const Candidate& one) {
                         return !MeanTheSame(**all.front().object, **one.object);
                       });
    if (!chosen.contested) std::erase_if(all, [&](const Candidate& one) { return one.file != file; });
  }
  return out;
}

void ConfigFiles::Collect(const Scan& scan) {
  objects_.clear();
  images_ = {};
  findings_ = scan.findings;
  for (const Unread& unread : scan.unread) findings_.push_back(NotRead(unread));
  const std::vector<const File*> in_order = InOrder();
  std::set<std::string> ignored;
  const model::Findings none;
  for (const File* file : in_order) {
    if (file->local_images) CollectImages(*file);
    // Whether the errors of images that nobody can read now still stand there, nobody knows.
    const bool doubtful = file->local_images && IsUnread(file->path, scan);
    for (const model::Findings* said : {doubtful ? &none : &file->findings, &file->missing, &file->unkept})
      findings_.insert(findings_.end(), said->begin(), said->end());
    for (const std::string& kind : file->ignored_kinds)
      if (ignored.insert(kind).second)
        findings_.push_back({model::Severity::kInfo,
                             {.message = "objects of kind " + kind + " are ignored", .at = {.file = file->path}}});
  }
  CollectObjects(in_order, scan.unreadable_roots.empty() && scan.unreadable_files.empty());
}

// What is wrong with the file by itself is told anyway; here, that other files have the same images.
void ConfigFiles::CollectImages(const File& file) {
  model::Findings said;
  images_.Add(file.in_force().text, file.path, said);
  for (model::Finding& finding : said) {
    if (std::find(file.findings.begin(), file.findings.end(), finding) != file.findings.end()) continue;
    if (file.stands_in()) TellOfLastGood(finding);
    findings_.push_back(std::move(finding));
  }
}

// Nothing is known of what it says now, so nothing is closed for it: only what it said before can be in force.
model::Finding ConfigFiles::NotRead(const Unread& unread) const {
  const bool held = std::any_of(files_.begin(), files_.end(), [&](const auto& entry) {
    const File& file = entry.second;
    return (file.real_path == unread.key || file.path == unread.path || IsBelow(file.path, {unread.path})) &&
           (file.local_images || !file.in_force().objects.empty());
  });
  const char* nothing = "; it has no last good version, so what it says, a policy too, is not in force";
  return {model::Severity::kError,
          {.code = Errc::kUnavailable,
           .message = unread.why + (held ? "" : nothing),
           .at = {.file = unread.path},
           .hint = unread.next + (held ? "; what it held stays in force" : "")}};
}

// Of an object that stands in several files.
model::Finding ConfigFiles::NotAlone(const model::ObjectRef& object, const Chosen& chosen) const {
  const model::Meta& meta = model::MetaOf(*object);
  const auto other = std::find_if(chosen.objects.begin(), chosen.objects.end(),
                                  [&](const Candidate& one) { return one.object != &object; });
  const std::string place = Place(model::MetaOf(**other->object).at);
  if (!chosen.contested)
    return Twice(meta, "the object stands twice; the one at " + place + " is in force, this one is not",
                 "remove or rename this one; to put it in force, remove the other");
  return Twice(meta,
               "the policy stands twice, also at " + place + ", and neither was in force before, so it " +
                   Closes(*object, mesh_.root_namespace),
               "remove or rename one of them");
}

// `complete`: everything could be read, so what has no file is gone.
void ConfigFiles::CollectObjects(const std::vector<const File*>& in_order, bool complete) {
  std::vector<Share> shares;
  for (const File* file : in_order) shares.push_back({file, &file->in_force().objects});
  const std::unordered_map<std::string, Chosen> in_force = Choose(shares);
  model::Findings not_alone;
  for (const Share& share : shares)
    for (const model::ObjectRef& object : *share.objects) {
      const Chosen& chosen = in_force.at(ObjectName(model::MetaOf(*object)));
      const bool has = chosen.Has(object);
      if (has) objects_.push_back(chosen.contested ? AsInvalid(*object) : object);
      if (has && !chosen.contested) continue;
      not_alone.push_back(NotAlone(object, chosen));
      if (share.file->stands_in()) TellOfLastGood(not_alone.back());
    }
  AddBounded(findings_, std::move(not_alone));
  std::map<std::string, std::string> owners;
  for (const auto& [name, chosen] : in_force)
    if (!chosen.contested) owners.emplace(name, chosen.objects.front().file->real_path);
  KeepOwners(std::move(owners), complete);
}

void ConfigFiles::KeepOwners(std::map<std::string, std::string> owners, bool complete) {
  // A file that cannot be read for a while has its objects again afterwards.
  if (!complete)
    for (const auto& [name, real_path] : owners_)
      if (!files_.contains(real_path)) owners[name] = real_path;
  if (owners == owners_ && owners_kept_) return;
  owners_ = std::move(owners);
  const Outcome<> kept = last_good_.KeepOwners(owners_);
  owners_kept_ = kept.has_value();
  if (!kept) findings_.push_back({model::Severity::kWarning, kept.error()});
}

}  // namespace plait::control::source
