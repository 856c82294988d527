#include "control/model/unread_policies.h"

#include <algorithm>
#include <set>

#include "control/model/reader.h"
#include "core/base/strings.h"
#include "core/yaml/suggest.h"

namespace plait::control::model {
namespace {
constexpr Kind kPolicyKinds[] = {Kind::kAuthorizationPolicy, Kind::kPeerAuthentication, Kind::kRequestAuthentication};

bool IsLike(std::string_view written, std::string_view wanted) { return !yaml::Nearest(written, {wanted}).empty(); }

// Exactly that kind; one that is like a policy's is an AuthorizationPolicy, which denies most.
std::optional<Kind> PolicyKind(std::string_view written) {
  std::vector<std::string_view> names;
  for (const Kind kind : kPolicyKinds) {
    if (KindName(kind) == written) return kind;
    names.push_back(KindName(kind));
  }
  if (yaml::Nearest(written, names).empty()) return std::nullopt;
  return Kind::kAuthorizationPolicy;
}

enum class Group : std::uint8_t { kSecurity, kMaybe, kOther };

// Other meshes have kinds of these names, too. In Istio's other groups and in Kubernetes' own there are none.
Group GroupOf(std::string_view version) {
  const auto [first, second] = SplitOnce(version, '/');  // "v1" has no group
  const std::string_view group = second ? first : std::string_view();
  if (EqualsIgnoreCase(group, kSecurityGroup)) return Group::kSecurity;
  const bool maybe = group.find('.') == std::string_view::npos || group.ends_with(".istio.io");
  return maybe || IsLike(group, kSecurityGroup) ? Group::kMaybe : Group::kOther;
}

const yaml::Node* FindLike(const yaml::Node& mapping, std::string_view key) {
  if (const yaml::Node* exact = mapping.Find(key)) return exact;
  const auto like = std::find_if(mapping.entries.begin(), mapping.entries.end(),
                                 [&](const yaml::Entry& entry) { return IsLike(entry.key, key); });
  return like == mapping.entries.end() ? nullptr : &like->value;
}

std::string TextLike(const yaml::Node& mapping, std::string_view key) {
  const yaml::Node* value = FindLike(mapping, key);
  return value && value->is_scalar() ? value->text : std::string();
}

std::string NamespaceOf(std::string_view written, const DecodeContext& context) {
  std::string name = ToLower(written);
  return IsNamespaceName(name) ? name : context.default_namespace;
}

// No other object has it: names of objects hold no colon, and another one has another place. Blanks would be lost in
// the details of a response, and a protobuf string takes no bytes that are not UTF-8, as names of files may have.
std::string NameOfPlace(const Position& at) {
  std::string name = at.file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  for (char& c : name)
    if (const auto byte = static_cast<unsigned char>(c); byte <= ' ' || byte > '~' || c == '[' || c == ']') c = '_';
  return name;
}

void KeepInvalid(Meta meta, PolicyScope scope, Decoded& out) {
  switch (meta.key.kind) {
    case Kind::kPeerAuthentication:
      return Keep(out, PeerAuthentication{.meta = std::move(meta), .scope = std::move(scope), .invalid = true});
    case Kind::kRequestAuthentication:
      return Keep(out, RequestAuthentication{.meta = std::move(meta), .scope = std::move(scope)});
    default: return Keep(out, AuthorizationPolicy{.meta = std::move(meta), .scope = std::move(scope), .invalid = true});
  }
}

bool IsNameChar(char c) { return IsAlpha(c) || IsDigit(c) || c == '_' || c == '-' || c == '.' || c == '/'; }

// Not a label such as security.istio.io/tlsMode.
bool IsSecurityVersion(std::string_view word) {
  const std::string_view version = word.substr(std::min(word.size(), kSecurityGroup.size()));
  return GroupOf(word) == Group::kSecurity && version.size() > 2 && version[1] == 'v' && IsDigit(version[2]);
}

// Words that begin an object, and what stands behind them in the line; brackets, quotes and colons may be wrong.
class BrokenText {
 public:
  explicit BrokenText(std::string_view text) {
    for (const std::string_view line : Split(text, '\n')) {
      ++lines_;
      if (!Trim(line).starts_with('#')) ReadLine(WithoutComment(line));
    }
  }

  // Which policies there may be.
  std::set<Kind> Kinds() const {
    std::set<Kind> out = kinds_;
    if (security_ > policies_ || (!legible_ && began_)) out.insert(Kind::kAuthorizationPolicy);
    if (security_ == 0 && foreign_) out.clear();
    return out;
  }
  std::set<std::string> Namespaces(const DecodeContext& context) const {
    std::set<std::string> out;
    for (const std::string& name : namespaces_) out.insert(NamespaceOf(name, context));
    if (unnamed_ || !named_) out.insert(context.default_namespace);
    return out;
  }
  // Where the first sign of a policy stands; lines count from 0.
  yaml::Mark at() const { return first_ ? *first_ : began_.value_or(yaml::Mark{0, 1}); }

 private:
  // Quotes may hold what looks like one.
  static std::string_view WithoutComment(std::string_view line) {
    char quote = 0;
    for (std::size_t at = 0; at < line.size(); ++at) {
      const char c = line[at];
      if (quote == '"' && c == '\\')
        ++at;
      else if (quote != 0)
        quote = c == quote ? '\0' : quote;
      else if (c == '"' || c == '\'')
        quote = c;
      else if (c == '#' && at > 0 && line[at - 1] == ' ')
        return line.substr(0, at);
    }
    return line;
  }

  static std::size_t NameEnd(std::string_view text, std::size_t from) {
    while (from < text.size() && IsNameChar(text[from])) ++from;
    return from;
  }

  void ReadLine(std::string_view line) {
    for (std::size_t at = 0; at < line.size(); ++at) {
      const std::size_t end = NameEnd(line, at);
      const std::string_view word = line.substr(at, end - at);
      const yaml::Mark mark{lines_ - 1, static_cast<std::uint32_t>(at + 1)};
      if (word == "namespace")
        ReadNamespace(line.substr(end));
      else if (word == "kind")
        ReadKind(line.substr(end), mark);
      else if (word == "apiVersion")
        ReadVersion(line.substr(end), mark);
      else if (IsSecurityVersion(word))
        AddSecurity(mark);
      at = end;
    }
  }

  static std::string_view ValueIn(std::string_view rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r:=\"'"), rest.size()));
    return rest.substr(0, NameEnd(rest, 0));
  }

  // `rest`: what stands behind a word. Without a colon that is a word of some text.
  static bool IsKey(std::string_view rest) {
    const std::size_t colon = rest.find_first_not_of(" \t\"'");
    return colon != std::string_view::npos && rest[colon] == ':';
  }

  // A kind or version without a value that can be read. Within something, and with nothing behind it, it is that one's
  // own, such as a property of a schema.
  void Begin(std::string_view rest, yaml::Mark at) {
    const std::size_t colon = rest.find(':');
    const bool has_value = !Trim(rest.substr(colon == std::string_view::npos ? 0 : colon + 1)).empty();
    if (at.column == 1 || has_value) began_ = began_.value_or(at);
  }

  void ReadNamespace(std::string_view rest) {
    named_ |= IsKey(rest);
    if (const std::string_view value = ValueIn(rest); !value.empty()) namespaces_.emplace_back(value);
  }

  void ReadKind(std::string_view rest, yaml::Mark at) {
    const std::string_view value = ValueIn(rest);
    const bool capitalised = !value.empty() && value.front() >= 'A' && value.front() <= 'Z';
    if (!capitalised && !IsKey(rest)) return;
    if (value.empty()) return Begin(rest, at);
    legible_ = true;
    const std::optional<Kind> kind = PolicyKind(value);
    if (!kind) return;
    ++policies_;
    kinds_.insert(*kind);
    first_ = first_.value_or(at);
  }

  void ReadVersion(std::string_view rest, yaml::Mark at) {
    if (versions_++ > 0 && !named_) unnamed_ = true;
    named_ = false;
    const std::string_view value = ValueIn(rest);
    if (value.empty()) return Begin(rest, at);
    const Group group = GroupOf(value);
    legible_ = legible_ || group != Group::kSecurity;
    foreign_ = foreign_ || group == Group::kOther;
    if (group == Group::kSecurity) first_ = first_.value_or(at);  // and its value is a word of its own
  }

  void AddSecurity(yaml::Mark at) {
    ++security_;
    first_ = first_.value_or(at);
  }

  std::uint32_t lines_ = 0;
  std::size_t versions_ = 0;  // apiVersion
  std::size_t security_ = 0;  // versions of security policies, whatever stands before them
  std::size_t policies_ = 0;  // kinds that are a policy's, or like one
  bool legible_ = false;      // some kind, or the version of something else, can be read
  bool foreign_ = false;      // there is a version of somebody else's
  std::set<Kind> kinds_;      // of policies
  bool named_ = false;        // a namespace stands behind the last version
  bool unnamed_ = false;      // and none behind one of those before it
  std::vector<std::string> namespaces_;
  std::optional<yaml::Mark> began_;  // a kind or version that cannot be read
  std::optional<yaml::Mark> first_;  // the first sign of a policy
};
}  // namespace

std::optional<Kind> MeantPolicy(const yaml::Node& document) {
  const std::string written = TextLike(document, "kind");
  const std::optional<Kind> kind = PolicyKind(written);
  switch (GroupOf(TextLike(document, "apiVersion"))) {
    case Group::kSecurity: return kind.value_or(Kind::kAuthorizationPolicy);
    case Group::kMaybe: return kind;
    case Group::kOther: break;
  }
  return std::nullopt;
}

void KeepUnreadPolicy(const yaml::Node& document, Kind kind, const std::string& file, const DecodeContext& context,
                      Decoded& out) {
  const yaml::Node* metadata = FindLike(document, "metadata");
  const yaml::Node* name = metadata ? FindLike(*metadata, "name") : nullptr;
  Meta meta;
  meta.at = yaml::At(file, name ? name->at : metadata ? metadata->at : document.at);
  const bool named = name && name->is_scalar() && IsObjectName(name->text);
  meta.key = {kind, NamespaceOf(metadata ? TextLike(*metadata, "namespace") : "", context),
              named ? name->text : NameOfPlace(meta.at)};
  Findings told;  // by whoever found that it cannot be read
  PolicyScope scope = ReadPolicyScope(ObjectReader(document, file, meta, told));
  KeepInvalid(std::move(meta), std::move(scope), out);
}

void KeepUnreadPolicies(const yaml::Node& tree, const std::string& file, const DecodeContext& context, Decoded& out) {
  if (tree.is_scalar()) return KeepBrokenPolicies(tree.text, tree.at.line, file, context, out);
  for (const yaml::Node& item : tree.items) KeepUnreadPolicies(item, file, context, out);
  if (!tree.is_mapping()) return;
  const std::optional<Kind> kind = MeantPolicy(tree);
  const yaml::Node* items = FindLike(tree, "items");
  const bool list = items && items->is_sequence() && TextLike(tree, "kind").ends_with("List");
  if (kind && !list) KeepUnreadPolicy(tree, *kind, file, context, out);
  if (!items) return;
  if (!items->is_sequence()) return KeepUnreadPolicies(*items, file, context, out);
  for (const yaml::Node& item : items->items) {
    // Kubernetes says in such a list once what all its items are.
    if (kind && list && !MeantPolicy(item))
      KeepUnreadPolicy(item, *kind, file, context, out);
    else
      KeepUnreadPolicies(item, file, context, out);
  }
}

void KeepBrokenPolicies(std::string_view text, std::uint32_t line, const std::string& file,
                        const DecodeContext& context, Decoded& out) {
  std::string ascii(text);
  std::erase(ascii, '\0');  // UTF-16 has one beside each letter
  for (std::size_t i = 0; i < ascii.size(); ++i)
    if (ascii[i] == '\r' && (i + 1 == ascii.size() || ascii[i + 1] != '\n')) ascii[i] = '\n';
  const BrokenText broken(ascii);
  const Position at = yaml::At(file, {broken.at().line + line, broken.at().column});
  for (const Kind kind : broken.Kinds())
    for (const std::string& name_space : broken.Namespaces(context))
      KeepInvalid({.key = {kind, name_space, NameOfPlace(at)}, .at = at}, {}, out);
}

}  // namespace plait::control::model
