#include "cli/tour_guide.h"

#include <stdio.h>
#include <unistd.h>

#include <filesystem>

#include "cli/fetch.h"
#include "cli/tour.h"
#include "core/base/strings.h"

namespace plait::cli {
namespace {

constexpr const char* kReviewsPath = "/api/v1/products/0/reviews";
constexpr const char* kIndent = "      ";

std::unexpected<Diagnostic> BrokenOff() { return Explain(Errc::kCancelled, "interrupted"); }

}  // namespace

Outcome<TourGuide> TourGuide::Begin(const MeshOptions& mesh, bool pauses, const Interrupt& interrupt) {
  const Outcome<local::MeshStatus> status = TestAccess(mesh, interrupt).Status();
  if (!status) return std::unexpected(status.error());
  std::error_code error;
  for (const char* file : {"reviews-split.yaml", "policy.yaml"})
    if (!std::filesystem::exists(status->directory + "/" + file, error))
      return Explain(Errc::kNotFound, "the mesh " + status->name + " runs " + status->directory + ", not the demo",
                     "plait demo tour --name tour    starts one of its own");
  if (status->url.empty())
    return Explain(Errc::kNotFound, "the mesh " + status->name + " has no gateway", "plait status" + Named(mesh));
  TourGuide guide(mesh, pauses, interrupt, *status);
  const Undone undone = UndoKilledEdits(status->directory);
  if (!undone.all) return std::unexpected(undone.all.error());
  if (undone.files.empty()) return guide;
  for (const std::string& file : undone.files) Warn(file + ": put back what a tour had edited before it was killed");
  const Outcome<double> in_force = guide.SecondsUntil(std::chrono::steady_clock::now(), [&]() -> Outcome<bool> {
    const Outcome<std::string> seen = guide.Stars();
    return seen ? Outcome<bool>(*seen == "black") : std::unexpected(seen.error());
  });
  if (!in_force) return std::unexpected(in_force.error());
  return guide;
}

void TourGuide::Tell(const std::string& text) const {
  if (!tells_) return;
  for (const std::string_view line : Split(text, '\n'))
    printf("%s%.*s\n", line.empty() ? "" : kIndent, static_cast<int>(line.size()), line.data());
  fflush(stdout);
}

void TourGuide::Head(const std::string& title) const {
  if (tells_) printf("\n%s\n\n", title.c_str());
}

void TourGuide::Verdict(bool passed, const std::string& detail, const std::string& hint) const {
  if (!tells_) return;
  printf("\n  %s %s\n", MarkText(passed ? Mark::kPassed : Mark::kFailed).c_str(), detail.c_str());
  fflush(stdout);
  if (!passed && !hint.empty()) Say("      try: " + hint);
}

void TourGuide::TellEdit(const std::string& file, const std::string& before, const std::string& after) const {
  Tell(directory_ + "/" + file);
  for (const std::string& line : ChangedLines(before, after)) Tell(line);
}

Outcome<> TourGuide::Pause() const {
  if (!pauses_) return interrupt_.came() ? Outcome<>(BrokenOff()) : Outcome<>{};
  fprintf(stderr, "\n%s[Enter goes on, Ctrl-C ends the tour] ", kIndent);
  for (char byte = 0; byte != '\n';) {
    if (!interrupt_.WaitFor(STDIN_FILENO, -1) || read(STDIN_FILENO, &byte, 1) != 1) return BrokenOff();
  }
  return {};
}

Outcome<ProgramEnd> TourGuide::Plait(const std::vector<std::string>& arguments) const {
  std::vector<std::string> words = {arguments.front()};
  if (mesh_.name != "default") words.insert(words.end(), {"--name", mesh_.name});
  words.insert(words.end(), arguments.begin() + 1, arguments.end());
  Tell("$ plait " + Join(words, " "));
  return RunProgram("plait", words);
}

Outcome<EditedFile> TourGuide::Edit(const std::string& file) const { return EditedFile::Open(directory_ + "/" + file); }

Outcome<std::string> TourGuide::Stars() const {
  if (interrupt_.came()) return BrokenOff();
  const Outcome<std::string> answer = HttpGet(url_ + kReviewsPath);
  return answer ? StarsIn(*answer) : "";
}

Outcome<std::map<std::string, int>> TourGuide::CountStars(int requests) const {
  Tell("$ curl " + url_ + kReviewsPath + "        " + std::to_string(requests) + " times");
  std::map<std::string, int> counts;
  for (int i = 0; i < requests; ++i) {
    const Outcome<std::string> colour = Stars();
    if (!colour) return std::unexpected(colour.error());
    ++counts[*colour];
  }
  return counts;
}

}  // namespace plait::cli
