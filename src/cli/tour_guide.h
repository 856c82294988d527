#pragma once
// What the steps of `plait demo tour` do to the mesh and say to the person: requests through the gateway, commands that
// anybody could type, edits of the application's directory. Errors: kCancelled when a signal came or the input ended.
#include <chrono>
#include <map>
#include <string>

#include "cli/program.h"
#include "cli/test_access.h"
#include "cli/text_edit.h"

namespace plait::cli {

using Moment = std::chrono::steady_clock::time_point;

class TourGuide {
 public:
  static Outcome<TourGuide> Begin(const MeshOptions& mesh, bool pauses, const Interrupt& interrupt);

  // To standard output, unless the result is wanted as data.
  void Tell(const std::string& text) const;
  void TellEdit(const std::string& file, const std::string& before, const std::string& after) const;
  void Head(const std::string& title) const;
  void Verdict(bool passed, const std::string& detail, const std::string& hint) const;
  // Until Enter, if the person wants to be waited for.
  Outcome<> Pause() const;

  // `plait ARGUMENTS` for this mesh: the command line is told, what it prints is left to the step.
  Outcome<ProgramEnd> Plait(const std::vector<std::string>& arguments) const;
  // A file of the directory that the mesh runs.
  Outcome<EditedFile> Edit(const std::string& file) const;

  // The colour of the stars of one request through the gateway; "" when there is none, or no answer.
  Outcome<std::string> Stars() const;
  Outcome<std::map<std::string, int>> CountStars(int requests) const;
  // Seconds from `since` until `holds`; below 0 when it never did.
  template <class Condition>
  Outcome<double> SecondsUntil(Moment since, Condition holds) const {
    constexpr int kPatience = 10'000;  // milliseconds; what is promised is one second
    const Outcome<bool> held = access_.Until(holds, kPatience);
    if (!held) return std::unexpected(held.error());
    return *held ? std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count() : -1;
  }

  const TestAccess& access() const { return access_; }
  const std::string& url() const { return url_; }
  const std::string& mesh_name() const { return mesh_.name; }
  std::string named() const { return Named(mesh_); }

 private:
  TourGuide(const MeshOptions& mesh, bool pauses, const Interrupt& interrupt, const local::MeshStatus& status)
      : mesh_(mesh),
        pauses_(pauses),
        tells_(!IsData(mesh.format) && mesh.format != Format::kName),
        interrupt_(interrupt),
        access_(mesh, interrupt),
        url_(status.url),
        directory_(status.directory) {}

  const MeshOptions& mesh_;
  const bool pauses_, tells_;
  const Interrupt& interrupt_;
  const TestAccess access_;
  const std::string url_, directory_;
};

}  // namespace plait::cli
