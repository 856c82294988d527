// The volumes of a pod, and what its containers mount of them.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <k8s.io/api/core/v1/generated.pb.h>

#include <algorithm>

#include "control/model/checks.h"
#include "control/model/hosts.h"
#include "control/model/pod_reading.h"
#include "core/base/strings.h"

namespace plait::control::model {
namespace {
namespace core = k8s::io::api::core::v1;

constexpr std::int32_t kMostMode = 0777;

// "a/b": below the folder that it is relative to, whatever is there.
bool IsInnerPath(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  const std::vector<std::string_view> parts = Split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

bool CheckInnerPath(ObjectReader& reader, const std::string& at, const std::string& path) {
  if (IsInnerPath(path)) return true;
  reader.Error(at, "\"" + path + "\" is no path within the volume", "write one that begins with no / and has no ..",
               {});
  return false;
}

// The name of the first field that a message has: which kind of volume it is.
std::string KindOf(const google::protobuf::Message& source) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  source.GetReflection()->ListFields(source, &fields);
  return fields.empty() ? "" : fields.front()->json_name();
}

std::set<std::string> MountedBy(const core::PodSpec& spec) {
  std::set<std::string> out;
  for (const auto* containers : {&spec.initcontainers(), &spec.containers()})
    for (const core::Container& container : *containers)
      for (const core::VolumeMount& mount : container.volumemounts()) out.insert(mount.name());
  return out;
}

// One volume, whose spec stands at `path`. False when Kubernetes would refuse it.
class VolumeReader {
 public:
  VolumeReader(ObjectReader& reader, std::string path) : reader_(reader), path_(std::move(path)) {}

  // Whether a process can have it; if not `to` means nothing.
  bool IsKnown(const core::VolumeSource& from) const {
    return from.has_emptydir() || from.has_configmap() || from.has_secret() || from.has_downwardapi() ||
           from.has_projected();
  }

  bool Read(const core::VolumeSource& from, Volume& to) {
    to.empty_dir = from.has_emptydir();
    if (from.has_configmap()) {
      const core::ConfigMapVolumeSource& map = from.configmap();
      return ReadMode(map.has_defaultmode(), map.defaultmode(), "configMap", to.default_mode) &&
             ReadKeys(map, "configMap", AddSource(to, map.localobjectreference().name(), ""));
    }
    if (from.has_secret()) {
      const core::SecretVolumeSource& secret = from.secret();
      return ReadMode(secret.has_defaultmode(), secret.defaultmode(), "secret", to.default_mode) &&
             ReadKeys(secret, "secret", AddSource(to, "", secret.secretname()));
    }
    if (from.has_downwardapi()) {
      const core::DownwardAPIVolumeSource& fields = from.downwardapi();
      return ReadMode(fields.has_defaultmode(), fields.defaultmode(), "downwardAPI", to.default_mode) &&
             ReadFields(fields, "downwardAPI", to);
    }
    return !from.has_projected() || ReadProjected(from.projected(), to);
  }

 private:
  bool ReadProjected(const core::ProjectedVolumeSource& from, Volume& to) {
    if (!ReadMode(from.has_defaultmode(), from.defaultmode(), "projected", to.default_mode)) return false;
    for (int i = 0; i < from.sources_size(); ++i) {
      const core::VolumeProjection& source = from.sources(i);
      const std::string at = Indexed("projected.sources", static_cast<std::size_t>(i));
      bool good = true;
      if (source.has_configmap())
        good = ReadKeys(source.configmap(), at + ".configMap",
                        AddSource(to, source.configmap().localobjectreference().name(), ""));
      else if (source.has_secret())
        good =
            ReadKeys(source.secret(), at + ".secret", AddSource(to, "", source.secret().localobjectreference().name()));
      else if (source.has_downwardapi())
        good = ReadFields(source.downwardapi(), at + ".downwardAPI", to);
      else
        reader_.Info(Dotted(path_, at), "the volume " + to.name + " is mounted without its " + KindOf(source));
      if (!good) return false;
    }
    return true;
  }

  static VolumeSource& AddSource(Volume& to, std::string config_map, std::string secret) {
    return to.sources.emplace_back(VolumeSource{.config_map = std::move(config_map), .secret = std::move(secret)});
  }

  template <class Keys>
  bool ReadKeys(const Keys& from, const std::string& at, VolumeSource& to) {
    to.optional = from.optional();
    if (to.config_map.empty() && to.secret.empty()) {
      reader_.Error(Dotted(path_, at), "the volume has no name of what is mounted",
                    "name a ConfigMap or a Secret of this namespace", {});
      return false;
    }
    for (int i = 0; i < from.items_size(); ++i) {
      const core::KeyToPath& item = from.items(i);
      const std::string place = at + "." + Indexed("items", static_cast<std::size_t>(i));
      if (!AddItem(place, item.key(), item, to)) return false;
    }
    return true;
  }

  template <class Fields>
  bool ReadFields(const Fields& from, const std::string& at, Volume& to) {
    VolumeSource& source = to.sources.emplace_back();
    for (int i = 0; i < from.items_size(); ++i) {
      const core::DownwardAPIVolumeFile& item = from.items(i);
      const std::string place = at + "." + Indexed("items", static_cast<std::size_t>(i));
      if (!item.has_fieldref())
        reader_.Warning(Dotted(path_, place),
                        "the volume " + to.name + " is mounted without " + item.path() + ": only fieldRef is honoured",
                        "write the number into a ConfigMap, or remove the item");
      else if (!AddItem(place, item.fieldref().fieldpath(), item, source))
        return false;
    }
    return true;
  }

  template <class Item>
  bool AddItem(const std::string& at, const std::string& key, const Item& from, VolumeSource& to) {
    if (!CheckInnerPath(reader_, Dotted(path_, at + ".path"), from.path())) return false;
    KeyToPath item{.key = key, .path = from.path()};
    if (from.has_mode() && !ReadMode(true, from.mode(), at, item.mode.emplace())) return false;
    to.items.push_back(std::move(item));
    return true;
  }

  bool ReadMode(bool present, std::int32_t from, const std::string& at, std::uint32_t& to) {
    if (!present) return true;
    to = static_cast<std::uint32_t>(from);
    if (from >= 0 && from <= kMostMode) return true;
    reader_.Error(Dotted(path_, at), "the mode " + std::to_string(from) + " is not between 0 and 0777",
                  "write it in octal, with a leading 0: 0644", {});
    return false;
  }

  ObjectReader& reader_;
  const std::string path_;
};

}  // namespace

bool ReadVolumes(ObjectReader& reader, const std::string& path, const core::PodSpec& from, std::vector<Volume>& to) {
  const std::set<std::string> mounted = MountedBy(from);
  std::string unknown;
  for (int i = 0; i < from.volumes_size(); ++i) {
    const core::Volume& volume = from.volumes(i);
    const std::string at = Indexed(Dotted(path, "volumes"), static_cast<std::size_t>(i));
    if (!IsDnsLabel(volume.name())) {
      reader.Error(at, "\"" + volume.name() + "\" is not the name of a volume", "letters, digits and -, e.g. data", {});
      return false;
    }
    VolumeReader one(reader, at);
    if (!one.IsKnown(volume.volumesource())) {
      if (mounted.contains(volume.name()))
        unknown += (unknown.empty() ? "" : ", ") + volume.name() + " (" + KindOf(volume.volumesource()) + ")";
      continue;
    }
    if (!one.Read(volume.volumesource(), to.emplace_back(Volume{.name = volume.name()}))) return false;
  }
  if (!unknown.empty())
    reader.Info(Dotted(path, "volumes"), "volumes are not mounted when the pod runs as a process: " + unknown);
  return true;
}

bool ReadVolumeMounts(ObjectReader& reader, const std::string& path, const core::Container& from,
                      std::vector<VolumeMount>& to) {
  for (int i = 0; i < from.volumemounts_size(); ++i) {
    const core::VolumeMount& mount = from.volumemounts(i);
    const std::string at = Indexed(path + ".volumeMounts", static_cast<std::size_t>(i));
    const std::string& place = mount.mountpath();
    if (!place.starts_with('/') || !(place == "/" || IsInnerPath(place.substr(1)))) {
      reader.Error(at + ".mountPath", "\"" + place + "\" is no absolute path", "write one such as /etc/app, without ..",
                   {});
      return false;
    }
    if (!mount.subpath().empty() && !CheckInnerPath(reader, at + ".subPath", mount.subpath())) return false;
    if (!mount.subpathexpr().empty()) {
      reader.Warning(at + ".subPathExpr", "subPathExpr is not honoured yet: nothing is mounted at " + place,
                     "use subPath", {});
      continue;
    }
    to.push_back({.volume = mount.name(), .path = place, .sub_path = mount.subpath(), .read_only = mount.readonly()});
  }
  return true;
}

}  // namespace plait::control::model
