#pragma once
// plait demo tour: six steps through a running demo (bookinfo). What it edits is put back when it ends, however it
// ends.
#include <string>
#include <string_view>
#include <vector>

#include "cli/verbs.h"

namespace plait::cli {

struct TourStep {
  std::string title;
  bool passed = false;
  std::string detail = {};  // what was seen
  double seconds = -1;      // from the edit to its effect; below 0: there was none to wait for
  std::string hint = {};    // where to look when it was not seen
};
// What each format is made of. `text`: for people who saw each step as it came.
Output TourOutput(const std::vector<TourStep>& steps, std::size_t of);

// The colour of the stars in an answer of the reviews service: "black", "red"; "" when it has none.
std::string StarsIn(std::string_view reviews_json);

// `pauses`: waits for Enter between the steps. Returns the exit code: 0 when each step saw its effect.
int RunTour(const MeshOptions& mesh, bool pauses);

}  // namespace plait::cli
