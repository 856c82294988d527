// Pod, and the pod templates of its controllers.
#include <k8s.io/api/core/v1/generated.pb.h>

#include <algorithm>
#include <set>

#include "control/model/checks.h"
#include "control/model/hosts.h"
#include "control/model/pod_reading.h"
#include "control/model/protobuf_reading.h"
#include "core/base/strings.h"

namespace plait::control::model {
namespace {
namespace core = k8s::io::api::core::v1;
namespace intstr = k8s::io::apimachinery::pkg::util::intstr;

class PodReader {
 public:
  // `claims`: volumes that its controller brings.
  PodReader(ObjectReader& reader, std::string path, const std::set<std::string>& claims = {})
      : reader_(reader), path_(std::move(path)), claims_(claims) {}

  bool Read(const core::PodSpec& from, PodSpec& to) {
    if (from.containers_size() == 0) {
      reader_.Error(path_, "a pod needs at least one container", "add containers with name and image", {});
      return false;
    }
    if (!ReadContainers(from.initcontainers(), true, to.init_containers) ||
        !ReadContainers(from.containers(), false, to.containers))
      return false;
    for (const auto& [field, name] : {std::pair("serviceAccountName", &from.serviceaccountname()),
                                      std::pair("serviceAccount", &from.serviceaccount())}) {
      if (name->empty()) continue;
      to.service_account = *name;
      to.service_account_at = {reader_.At(Dotted(path_, field))};
      break;
    }
    to.hostname = from.hostname();
    to.subdomain = from.subdomain();
    to.node_name = from.nodename();
    if (!ReadRestartPolicy(from, to)) return false;
    if (from.has_terminationgraceperiodseconds())
      to.grace_seconds = static_cast<std::uint32_t>(std::max<std::int64_t>(0, from.terminationgraceperiodseconds()));
    to.host_network = from.hostnetwork();
    to.service_links = !from.has_enableservicelinks() || from.enableservicelinks();
    if (!ReadVolumes(reader_, path_, from, to.volumes)) return false;
    CheckMounts(from);
    return ReadNameResolution(reader_, path_, from, to);
  }

 private:
  bool ReadContainers(const google::protobuf::RepeatedPtrField<core::Container>& from, bool init,
                      std::vector<Container>& to) {
    for (int i = 0; i < from.size(); ++i) {
      const std::string list = Dotted(path_, init ? "initContainers" : "containers");
      const std::string path = Indexed(list, static_cast<std::size_t>(i));
      Container& container = to.emplace_back();
      if (!ReadContainer(from[i], path, container)) return false;
      if (from[i].has_restartpolicy() && !ReadContainerRestartPolicy(from[i], path, init, container)) return false;
    }
    return true;
  }

  // Always makes an init container a sidecar, as it does on Kubernetes; there is nothing else that it may say.
  bool ReadContainerRestartPolicy(const core::Container& from, const std::string& path, bool init, Container& to) {
    if (!init) {
      reader_.Warning(path + ".restartPolicy", "a container's own restartPolicy is honoured in initContainers only",
                      "the pod's restartPolicy holds", {});
      return true;
    }
    to.sidecar = from.restartpolicy() == "Always";
    if (to.sidecar) return true;
    reader_.Error(path + ".restartPolicy",
                  "an init container cannot have the restart policy \"" + from.restartpolicy() + "\"",
                  "Always makes it a sidecar; leave it out, and the pod's restartPolicy holds", {});
    return false;
  }

  bool ReadRestartPolicy(const core::PodSpec& from, PodSpec& to) {
    const std::string& policy = from.restartpolicy();
    if (policy.empty()) return true;
    to.restart_policy = policy;
    if (policy == "Always" || policy == "OnFailure" || policy == "Never") return true;
    reader_.Error(Dotted(path_, "restartPolicy"), "there is no restart policy \"" + policy + "\"",
                  "Always, OnFailure or Never", {});
    return false;
  }

  void CheckMounts(const core::PodSpec& from) {
    std::set<std::string> known = claims_;
    for (const core::Volume& volume : from.volumes()) known.insert(volume.name());
    for (const auto& [containers, list] :
         {std::pair{&from.initcontainers(), "initContainers"}, {&from.containers(), "containers"}})
      for (int i = 0; i < containers->size(); ++i)
        for (const core::VolumeMount& mount : containers->at(i).volumemounts())
          if (!known.contains(mount.name()))
            reader_.Warning(Indexed(Dotted(path_, list), static_cast<std::size_t>(i)) + ".volumeMounts",
                            "the pod has no volume \"" + mount.name() + "\"", "add it to the pod's volumes", {});
  }

  bool ReadContainer(const core::Container& from, const std::string& path, Container& to) {
    // It is part of file names, too.
    if (!IsDnsLabel(from.name())) {
      reader_.Error(path + ".name",
                    from.name().empty() ? "a container needs a name"
                                        : "\"" + from.name() + "\" cannot be the name of a container",
                    "use lower-case letters, digits and -, at most 63", {});
      return false;
    }
    if (!names_.insert(from.name()).second) {
      reader_.Error(path, "two containers of the pod are called \"" + from.name() + "\"", "rename one of them", {});
      return false;
    }
    to.name = from.name();
    to.image = from.image();
    to.command.assign(from.command().begin(), from.command().end());
    to.args.assign(from.args().begin(), from.args().end());
    to.working_dir = from.workingdir();
    for (const core::ContainerPort& port : from.ports()) {
      if (!CheckPort(reader_, Dotted(path, "ports"), static_cast<std::uint32_t>(port.containerport()))) return false;
      to.ports.push_back({port.name(), static_cast<std::uint16_t>(port.containerport()),
                          port.protocol().empty() ? "TCP" : port.protocol()});
    }
    ReadEnv(from, path, to);
    if (from.lifecycle().has_stopsignal())
      reader_.Warning(path + ".lifecycle.stopSignal", "stopSignal is not honoured: SIGTERM is the signal",
                      "remove it, or send it in preStop");
    return ReadVolumeMounts(reader_, path, from, to.mounts) &&
           ReadProbe(from.has_readinessprobe(), from.readinessprobe(), path + ".readinessProbe", to, to.readiness) &&
           ReadProbe(from.has_livenessprobe(), from.livenessprobe(), path + ".livenessProbe", to, to.liveness) &&
           ReadProbe(from.has_startupprobe(), from.startupprobe(), path + ".startupProbe", to, to.startup) &&
           ReadHook(from.lifecycle().has_poststart(), from.lifecycle().poststart(), path + ".lifecycle.postStart", to,
                    to.post_start) &&
           ReadHook(from.lifecycle().has_prestop(), from.lifecycle().prestop(), path + ".lifecycle.preStop", to,
                    to.pre_stop);
  }

  void ReadEnv(const core::Container& from, const std::string& path, Container& to) {
    for (const core::EnvFromSource& source : from.envfrom()) {
      EnvVar out{.name = source.prefix()};
      if (source.has_configmapref()) {
        out.config_map = source.configmapref().localobjectreference().name();
        out.optional = source.configmapref().optional();
      } else if (source.has_secretref()) {
        out.secret = source.secretref().localobjectreference().name();
        out.optional = source.secretref().optional();
      }
      if (out.config_map.empty() && out.secret.empty())
        reader_.Warning(path + ".envFrom", "a source of variables names neither a ConfigMap nor a Secret",
                        "add configMapRef or secretRef with a name", {});
      else
        to.env.push_back(std::move(out));
    }
    for (int i = 0; i < from.env_size(); ++i) {
      const core::EnvVar& env = from.env(i);
      EnvVar out{.name = env.name(), .value = env.value()};
      const core::EnvVarSource& source = env.valuefrom();
      if (source.has_fieldref()) {
        out.field = source.fieldref().fieldpath();
      } else if (source.has_configmapkeyref()) {
        out.config_map = source.configmapkeyref().localobjectreference().name();
        out.key = source.configmapkeyref().key();
        out.optional = source.configmapkeyref().optional();
      } else if (source.has_secretkeyref()) {
        out.secret = source.secretkeyref().localobjectreference().name();
        out.key = source.secretkeyref().key();
        out.optional = source.secretkeyref().optional();
      } else if (env.has_valuefrom()) {
        reader_.Warning(Indexed(path + ".env", static_cast<std::size_t>(i)),
                        "the source of variable " + env.name() + " is not honoured yet", {}, {});
      }
      to.env.push_back(std::move(out));
    }
  }

  std::optional<std::uint16_t> ResolvePort(const intstr::IntOrString& port, const std::string& path,
                                           const Container& container) {
    if (port.type() == 0) {
      if (!CheckPort(reader_, path, static_cast<std::uint32_t>(port.intval()))) return std::nullopt;
      return static_cast<std::uint16_t>(port.intval());
    }
    for (const ContainerPort& named : container.ports)
      if (named.name == port.strval()) return named.port;
    reader_.Error(path, "container " + container.name + " has no port named \"" + port.strval() + "\"",
                  "name one of its ports, or write the number", {});
    return std::nullopt;
  }

  bool ReadProbe(bool present, const core::Probe& from, const std::string& path, const Container& container,
                 std::optional<Probe>& out) {
    if (!present) return true;
    Probe to;
    const auto seconds = [](std::int32_t value, Duration otherwise) {
      return value > 0 ? Duration(std::chrono::seconds(value)) : otherwise;
    };
    to.initial_delay = seconds(from.initialdelayseconds(), {});
    to.period = seconds(from.periodseconds(), to.period);
    to.timeout = seconds(from.timeoutseconds(), to.timeout);
    if (from.successthreshold() > 0) to.success_threshold = static_cast<std::uint32_t>(from.successthreshold());
    if (from.failurethreshold() > 0) to.failure_threshold = static_cast<std::uint32_t>(from.failurethreshold());
    const core::ProbeHandler& handler = from.handler();
    if (handler.has_httpget()) {
      const auto port = ResolvePort(handler.httpget().port(), path + ".httpGet.port", container);
      if (!port) return false;
      to.port = *port;
      to.path = handler.httpget().path().empty() ? "/" : handler.httpget().path();
      to.scheme = handler.httpget().scheme().empty() ? "HTTP" : handler.httpget().scheme();
      for (const core::HTTPHeader& header : handler.httpget().httpheaders())
        to.headers.emplace_back(header.name(), header.value());
    } else if (handler.has_tcpsocket()) {
      to.kind = Probe::Kind::kTcp;
      const auto port = ResolvePort(handler.tcpsocket().port(), path + ".tcpSocket.port", container);
      if (!port) return false;
      to.port = *port;
    } else if (handler.has_grpc()) {
      to.kind = Probe::Kind::kGrpc;
      if (!CheckPort(reader_, path + ".grpc.port", static_cast<std::uint32_t>(handler.grpc().port()))) return false;
      to.port = static_cast<std::uint16_t>(handler.grpc().port());
      to.path = handler.grpc().service();
    } else if (handler.has_exec()) {
      to.kind = Probe::Kind::kExec;
      to.argv.assign(handler.exec().command().begin(), handler.exec().command().end());
    } else {
      reader_.Error(path, "a probe needs httpGet, tcpSocket, grpc or exec", {}, {});
      return false;
    }
    out = std::move(to);
    return true;
  }

  bool ReadHook(bool present, const core::LifecycleHandler& from, const std::string& path, const Container& container,
                std::optional<Hook>& out) {
    if (!present) return true;
    if (from.has_exec() + from.has_httpget() + from.has_tcpsocket() + from.has_sleep() != 1) {
      reader_.Error(path, "a hook is one of exec, httpGet and sleep", {}, {});
      return false;
    }
    Hook to;
    if (from.has_exec()) {
      to.argv.assign(from.exec().command().begin(), from.exec().command().end());
    } else if (from.has_sleep()) {
      to.kind = Hook::Kind::kSleep;
      if (from.sleep().seconds() < 0) {
        reader_.Error(path + ".sleep.seconds", "a hook cannot sleep less than no time", "write 0 or more", {});
        return false;
      }
      constexpr std::int64_t kLongest = std::chrono::seconds(std::chrono::years(1)).count();
      to.sleep = std::chrono::seconds(std::min(from.sleep().seconds(), kLongest));
    } else if (from.has_tcpsocket()) {
      to.kind = Hook::Kind::kTcp;
      reader_.Warning(path + ".tcpSocket", "Kubernetes runs no hook of tcpSocket: it fails whenever it is called",
                      "use exec, httpGet or sleep", {});
    } else {
      to.kind = Hook::Kind::kHttp;
      const core::HTTPGetAction& get = from.httpget();
      const auto port = ResolvePort(get.port(), path + ".httpGet.port", container);
      if (!port) return false;
      to.port = *port;
      to.path = get.path().empty() ? "/" : get.path();
      to.scheme = get.scheme().empty() ? "HTTP" : get.scheme();
      for (const core::HTTPHeader& header : get.httpheaders()) to.headers.emplace_back(header.name(), header.value());
      if (!get.host().empty())
        reader_.Warning(path + ".httpGet.host", "the host of a hook is not honoured: the pod itself is asked",
                        "remove it, or use exec");
    }
    out = std::move(to);
    return true;
  }

  ObjectReader& reader_;
  std::string path_;
  std::set<std::string> claims_;
  std::set<std::string> names_;  // of its containers so far
};

// Istio's order: canonical-name label, then app labels, then the workload's name.
std::string FirstLabel(const Labels& labels, std::initializer_list<const char*> keys, const std::string& otherwise) {
  for (const char* key : keys)
    if (const auto found = labels.find(key); found != labels.end() && !found->second.empty()) return found->second;
  return otherwise;
}
}  // namespace

std::string_view OwnerKindName(OwnerKind kind) noexcept {
  switch (kind) {
    case OwnerKind::kNone: return "Pod";
    case OwnerKind::kDeployment: return "Deployment";
    case OwnerKind::kStatefulSet: return "StatefulSet";
    case OwnerKind::kJob: return "Job";
  }
  return "Pod";
}

std::string CanonicalNameOf(const Labels& labels, const std::string& fallback) {
  return FirstLabel(labels, {"service.istio.io/canonical-name", "app.kubernetes.io/name", "app"}, fallback);
}
std::string Workload::CanonicalName() const { return CanonicalNameOf(labels, workload_name()); }
std::string Workload::CanonicalRevision() const {
  return FirstLabel(labels, {"service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"}, "latest");
}
bool Workload::TakesMeshTls() const {
  if (!meshed) return false;
  const auto mode = labels.find("security.istio.io/tlsMode");
  return mode == labels.end() ? !gateway : mode->second == "istio";
}

bool ReadPodTemplate(ObjectReader& reader, const core::PodTemplateSpec& from, PodTemplateSpec& to,
                     const std::set<std::string>& claims) {
  const auto& metadata = from.metadata();
  to.labels.insert(metadata.labels().begin(), metadata.labels().end());
  to.annotations.insert(metadata.annotations().begin(), metadata.annotations().end());
  CheckProxyConfig(reader, "spec.template.metadata.annotations");
  return PodReader(reader, "spec.template.spec", claims).Read(from.spec(), to.spec);
}

void DecodePod(ObjectReader& reader, Decoded& out) {
  core::Pod message;
  if (!ReadMessage(reader, BodyOf(reader.root()), message, KubernetesJson())) return;
  CheckProxyConfig(reader, "metadata.annotations");
  Pod pod{.meta = reader.meta()};
  if (PodReader(reader, "spec").Read(message.spec(), pod.spec)) Keep(out, std::move(pod));
}

}  // namespace plait::control::model
