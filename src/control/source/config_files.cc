#include "control/source/config_files.h"

#include <algorithm>
#include <set>

#include "core/yaml/parse.h"
#include "core/yaml/print.h"

namespace plait::control::source {
namespace {
bool IsLocalImages(const std::string& path) { return path == "local.yaml" || path.ends_with("/local.yaml"); }

std::string NameOf(std::string_view kind, std::string_view name_space, std::string_view name) {
  std::string out(kind);
  return out.append(" ").append(name_space.empty() ? "default" : name_space).append("/").append(name);
}

void AddWritten(const yaml::Node& object, std::map<std::string, std::string>& out) {
  const std::string_view kind = object.FindText("kind");
  if (const yaml::Node* items = object.Find("items"); items != nullptr && kind.ends_with("List")) {
    for (const yaml::Node& item : items->items) AddWritten(item, out);
  } else if (const yaml::Node* meta = object.Find("metadata")) {
    out.emplace(NameOf(kind, meta->FindText("namespace"), meta->FindText("name")), yaml::ToJson(object));
  }
}

bool IsBelow(const std::string& path, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [&](const std::string& folder) { return path.starts_with(folder + "/"); });
}
}  // namespace

std::string ObjectName(const model::Meta& meta) {
  return NameOf(model::KindName(meta.key.kind), meta.name_space(), meta.name());
}

std::map<std::string, std::string> ConfigFiles::Written() const {
  std::map<std::string, std::string> out;
  for (const auto& [real_path, file] : files_) {
    const auto documents = yaml::ParseAll(file.in_force.empty() ? file.text : file.in_force, file.path);
    if (!documents) continue;
    for (const yaml::Node& document : *documents) AddWritten(document, out);
  }
  return out;
}

bool ConfigFiles::Update(const Scan& scan) {
  bool changed = first_;
  if (std::exchange(first_, false)) last_good_.ForgetDeleted();
  for (const ScannedFile& scanned : scan.files) {
    const auto known = files_.find(scanned.real_path);
    if (known != files_.end() && known->second.text == scanned.text && known->second.path == scanned.path) continue;
    File& file = files_[scanned.real_path];
    changed = true;
    Decode(scanned, file);
  }
  changed |= RemoveDeleted(scan);
  const auto before = std::move(findings_);
  Collect(scan);
  return changed || findings_ != before;
}

void ConfigFiles::Decode(const ScannedFile& scanned, File& file) {
  file = {.path = scanned.path, .text = scanned.text, .local_images = IsLocalImages(scanned.path)};
  if (file.local_images) return;
  model::Decoded decoded = model::DecodeText(scanned.text, scanned.path, context_);
  file.objects = std::move(decoded.objects);
  file.findings = std::move(decoded.findings);
  file.ignored_kinds = std::move(decoded.ignored_kinds);
  if (model::HasErrors(file.findings))
    KeepLastGood(scanned, file);
  else if (auto kept = last_good_.Keep(scanned.real_path, scanned.text); !kept)
    file.findings.push_back({model::Severity::kWarning, kept.error()});
}

void ConfigFiles::KeepLastGood(const ScannedFile& scanned, File& file) {
  const auto good = last_good_.Find(scanned.real_path);
  if (!good) {
    file.findings.push_back(
        {model::Severity::kWarning,
         {.message = "the file has no last good version: what is valid in it is in force, and invalid policies deny",
          .at = {.file = scanned.path}}});
    return;
  }
  model::Decoded decoded = model::DecodeText(*good, scanned.path, context_);
  // Kept by another release that read it differently: then it is no better than the file itself.
  if (model::HasErrors(decoded.findings)) return;
  file.objects = std::move(decoded.objects);
  file.in_force = *good;
  file.findings.push_back({model::Severity::kWarning,
                           {.message = "the last good version of this file stays in force",
                            .at = {.file = scanned.path},
                            .hint = "correct the errors above"}});
}

bool ConfigFiles::RemoveDeleted(const Scan& scan) {
  std::set<std::string_view> present;
  for (const ScannedFile& file : scan.files) present.insert(file.real_path);
  for (const std::string& path : scan.unreadable_files) present.insert(path);
  const auto gone = [&](const auto& entry) {
    // A directory that cannot be read says nothing of its files.
    return !present.contains(entry.first) && !IsBelow(entry.second.path, scan.unreadable_roots);
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

void ConfigFiles::Collect(const Scan& scan) {
  objects_.clear();
  images_ = {};
  findings_ = scan.findings;
  std::vector<const File*> in_order;
  for (const auto& [real_path, file] : files_) in_order.push_back(&file);
  std::sort(in_order.begin(), in_order.end(), [](const File* a, const File* b) { return a->path < b->path; });
  std::map<model::ObjectKey, const model::Meta*> seen;
  std::set<std::string> ignored;
  for (const File* file : in_order) {
    if (file->local_images) images_.Add(file->text, file->path, findings_);
    findings_.insert(findings_.end(), file->findings.begin(), file->findings.end());
    for (const std::string& kind : file->ignored_kinds)
      if (ignored.insert(kind).second)
        findings_.push_back({model::Severity::kInfo,
                             {.message = "objects of kind " + kind + " are ignored", .at = {.file = file->path}}});
    for (const model::ObjectRef& object : file->objects) {
      const model::Meta& meta = model::MetaOf(*object);
      const auto [first, added] = seen.emplace(meta.key, &meta);
      if (added) {
        objects_.push_back(object);
        continue;
      }
      const Position& at = first->second->at;
      findings_.push_back({model::Severity::kError,
                           {.message = "the object stands twice; the one in " + at.file + ":" +
                                       std::to_string(at.line) + " is in force",
                            .object = meta.key.ToString(),
                            .at = meta.at,
                            .hint = "remove or rename one of them"},
                           "IST0106"});
    }
  }
}

}  // namespace plait::control::source
