#pragma once
// From scanned files to the objects that are in force: decodes what changed, falls back to the last good version of a
// file that became bad (one that is too large is bad, too; so is a bad local.yaml) or whose edit waits
// (waiting_edits.h), and finds objects that stand twice: the one that was in force keeps its place, whatever the names
// of the files. Of security policies that say different things and of which none was in force, each is in force as an
// invalid one (closed_policies.h). No loop, no watch: those are in directory_source.h.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/model/decode.h"
#include "control/model/mesh_config.h"
#include "control/source/last_good.h"
#include "control/source/local_images.h"
#include "control/source/scan.h"

namespace plait::control::source {

// "<kind> <namespace>/<name>"; what has no namespace, or names none, is told as if in "default".
std::string ObjectName(const model::Meta& meta);

// What the files hold, in short.
struct Contents {
  std::size_t files = 0;
  std::set<std::string> kinds = {};  // of objects in force, and of those that are ignored
};

class ConfigFiles {
 public:
  // `mesh`: what is so where ConfigMap `istio` says nothing.
  ConfigFiles(std::string last_good_folder, model::DecodeContext context, model::MeshConfig mesh = {})
      : last_good_(std::move(last_good_folder)), context_(std::move(context)), mesh_(std::move(mesh)) {}

  // Whether this is what the file said in the last state.
  bool Has(const ScannedFile& scanned) const;
  // Whether it has said anything before, in this run or in one before it.
  bool Knows(const ScannedFile& scanned) const;
  // Takes a new state of the files. Returns whether objects, images or findings changed.
  bool Update(const Scan& scan);

  const std::vector<model::ObjectRef>& objects() const noexcept { return objects_; }
  const LocalImages& images() const noexcept { return images_; }
  const model::Findings& findings() const noexcept { return findings_; }
  Contents contents() const;
  // What is said of objects in force, where they stand in versions that are no longer what the files say.
  model::Findings OfVersionsInForce(model::Findings findings) const;
  // Every object of the versions in force as it was written, as JSON, by ObjectName. Reads all texts again: for people.
  std::map<std::string, std::string> Written() const;

 private:
  struct Version {
    std::string text;
    std::vector<model::ObjectRef> objects;  // as far as they may be in force
    bool kept = false;                      // on disk
  };
  struct File {
    std::string path;
    std::string real_path;
    bool local_images = false;
    bool cut = false;                  // `written` is the beginning of a file that is too large
    Version written;                   // as last seen
    bool bad = false;                  // of `written` there are errors
    bool waits = false;                // `written` waits for what it names
    std::optional<Version> last_good;  // stands in for `written`, or may have to
    model::Findings findings;          // of `written`
    model::Findings missing;           // what it waits for, or is in force without
    model::Findings unkept;            // why what is in force is not on disk
    std::vector<std::string> ignored_kinds;

    bool stands_in() const noexcept { return last_good && (bad || waits); }
    const Version& in_force() const noexcept { return stands_in() ? *last_good : written; }
  };
  // The objects of one file, when it is asked what would be in force.
  struct Share {
    const File* file;
    const std::vector<model::ObjectRef>* objects;
  };
  struct Candidate {
    const File* file;
    const model::ObjectRef* object;
  };
  // The objects in force of one name: several only of security policies, which then are invalid.
  struct Chosen {
    std::vector<Candidate> objects;
    bool contested = false;  // they stand in different files, and none of these has had it
    bool Has(const model::ObjectRef& object) const noexcept;
  };

  void TakeUnreadable(const Scan& scan);
  void TakeKept(const std::string& path, const std::string& real_path);
  void Decode(const ScannedFile& scanned, File& file);
  void DecodeImages(File& file, File before) const;
  std::optional<Version> FindLastGood(const File& file, File before) const;
  std::optional<Version> FindGoodImages(const File& file, File before) const;
  bool IsNewRouting(const File& file) const;
  bool RemoveDeleted(const Scan& scan);
  std::vector<const File*> InOrder() const;
  void ChooseVersions();
  void KeepVersions();
  // Which objects are in force, by ObjectName. `shares`: in order.
  std::unordered_map<std::string, Chosen> Choose(const std::vector<Share>& shares) const;
  model::Finding NotRead(const Unread& unread) const;
  model::Finding NotAlone(const model::ObjectRef& object, const Chosen& chosen) const;
  void Collect(const Scan& scan);
  void CollectImages(const File& file);
  void CollectObjects(const std::vector<const File*>& in_order, bool complete);
  void KeepOwners(std::map<std::string, std::string> owners, bool complete);

  LastGood last_good_;
  model::DecodeContext context_;
  model::MeshConfig mesh_;
  std::map<std::string, File> files_;          // by real path
  std::map<std::string, std::string> owners_;  // the real path of the file of each object in force, by ObjectName
  bool owners_kept_ = true;
  std::vector<model::ObjectRef> objects_;
  LocalImages images_;
  model::Findings findings_;
  bool first_ = true;
};

}  // namespace plait::control::source
