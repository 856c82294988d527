#include "cli/complete.h"

#include <utility>

#include "core/base/strings.h"

namespace plait::cli {
namespace {

// What was understood of the words before the one that is typed.
struct Place {
  const Command* command = nullptr;
  const Option* value_of = nullptr;  // the option whose value comes next
  std::size_t positionals = 0;       // that stand there already
  std::string mesh = "default";
  std::string workload;
};

const Option* FindOption(const Command& command, std::string_view name) {
  for (const Option& option : command.options)
    for (const std::string_view known : Split(option.names, ','))
      if (!option.positional() && known == name) return &option;
  return nullptr;
}

const Option* PositionalAt(const Command& command, std::size_t index) {
  for (const Option& option : command.options)
    if (option.positional() && index-- == 0) return &option;
  return nullptr;
}

void Take(const Option* option, const std::string& value, Place& place) {
  if (option == nullptr) return;
  if (option->offers == Offers::kMeshes) place.mesh = value;
  if (option->offers == Offers::kWorkloads) place.workload = value;
}

// False when nothing can be completed behind this word.
bool Follow(const std::string& word, Place& place) {
  if (place.value_of != nullptr) {
    Take(std::exchange(place.value_of, nullptr), word, place);
    return true;
  }
  if (word == "--") return false;
  if (word.starts_with('-')) {
    const auto [name, value] = SplitOnce(word, '=');
    const Option* option = FindOption(*place.command, name);
    if (value) {
      Take(option, std::string(*value), place);
    } else if (option != nullptr && !option->flag()) {
      place.value_of = option;
    }
    return true;
  }
  if (!place.command->children.empty()) {
    place.command = place.command->Find(word);
    return place.command != nullptr;
  }
  Take(PositionalAt(*place.command, place.positionals++), word, place);
  return true;
}

// `typed`: of the value. Of a list the last word is completed.
Completions ValuesOf(const Option* option, const std::string& typed, const Place& place, const LiveNames& names) {
  Completions out;
  if (option == nullptr) return out;
  for (const std::string& choice : option->choices) out.candidates.push_back({choice});
  if (option->offers == Offers::kFiles || option->offers == Offers::kFolders) {
    out.paths = option->offers;
  } else if (option->offers != Offers::kNothing) {
    out.candidates = names(option->offers, place.mesh, place.workload);
    // A level of all loggers stands alone.
    if (option->offers == Offers::kLogLevels && typed.find(',') != std::string::npos)
      std::erase_if(out.candidates, [](const Candidate& one) { return one.word.find(':') == std::string::npos; });
  }
  if (option->listed)
    for (Candidate& candidate : out.candidates) candidate.word.insert(0, typed.substr(0, typed.rfind(',') + 1));
  return out;
}

std::vector<Candidate> OptionsOf(const Command& command) {
  std::vector<Candidate> out;
  for (const Option& option : command.options)
    if (!option.positional() && !option.hidden) out.push_back({option.Long(), option.help});
  out.push_back({"--help", "what there is"});
  return out;
}

void KeepPrefix(const std::string& prefix, std::vector<Candidate>& candidates) {
  std::erase_if(candidates, [&](const Candidate& candidate) { return !candidate.word.starts_with(prefix); });
}

}  // namespace

Completions Complete(const Command& tree, const std::vector<std::string>& words, const LiveNames& names) {
  Place place{.command = &tree};
  if (words.empty()) return {};
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (!Follow(words[i], place)) return {};
  const std::string& typed = words.back();
  Completions out;
  if (place.value_of != nullptr) {
    out = ValuesOf(place.value_of, typed, place, names);
  } else if (const std::size_t equals = typed.find('='); typed.starts_with("--") && equals != std::string::npos) {
    out = ValuesOf(FindOption(*place.command, typed.substr(0, equals)), typed.substr(equals + 1), place, names);
    for (Candidate& candidate : out.candidates) candidate.word.insert(0, typed.substr(0, equals + 1));
  } else if (typed.starts_with('-')) {
    out.candidates = OptionsOf(*place.command);
  } else if (!place.command->children.empty()) {
    for (const Command& child : place.command->children) out.candidates.push_back({child.name, child.summary});
  } else {
    out = ValuesOf(PositionalAt(*place.command, place.positionals), typed, place, names);
  }
  KeepPrefix(typed, out.candidates);
  return out;
}

}  // namespace plait::cli
