#include "control/source/local_images.h"

#include "core/yaml/parse.h"

namespace plait::control::source {

std::string_view ImageName(std::string_view image) noexcept {
  image = image.substr(0, image.find('@'));
  if (const auto slash = image.rfind('/'); slash != std::string_view::npos) image.remove_prefix(slash + 1);
  return image.substr(0, image.find(':'));
}

void LocalImages::Add(std::string_view text, const std::string& file, model::Findings& findings) {
  const auto fail = [&](yaml::Mark at, std::string message, std::string hint) {
    findings.push_back(
        {model::Severity::kError, {.message = std::move(message), .at = yaml::At(file, at), .hint = std::move(hint)}});
  };
  auto documents = yaml::ParseAll(text, file);
  if (!documents) return findings.push_back({model::Severity::kError, documents.error()});
  for (const yaml::Node& root : *documents) {
    if (!root.is_mapping())
      return fail(root.at, "a mapping with `images` is expected, not " + yaml::Describe(root), "");
    for (const yaml::Entry& section : root.entries) {
      if (section.key != "images")
        fail(section.at, "unknown field \"" + section.key + "\"", "local.yaml holds `images`");
      if (section.key != "images") continue;
      if (!section.value.is_mapping() && !section.value.is_null())
        fail(section.at, "`images` is " + yaml::Describe(section.value) + ", not a mapping",
             "write a line \"IMAGE: [PROGRAM, ARGUMENT, ...]\" below it for each image");
      for (const yaml::Entry& image : section.value.entries) {
        std::vector<std::string> argv;
        for (const yaml::Node& word : image.value.items)
          if (word.is_scalar()) argv.push_back(word.text);
        if (argv.empty() || argv.size() != image.value.items.size())
          fail(image.at, "the image " + image.key + " needs a list of words", "e.g. [my-server, --port, \"8080\"]");
        else if (!images_.emplace(ImageName(image.key), std::move(argv)).second)
          fail(image.at, "the image " + image.key + " stands twice", "keep one of them");
      }
    }
  }
}

const std::vector<std::string>* LocalImages::Find(std::string_view image) const noexcept {
  const auto found = images_.find(ImageName(image));
  return found == images_.end() ? nullptr : &found->second;
}

}  // namespace plait::control::source
