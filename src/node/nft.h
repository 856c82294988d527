#pragma once
// Loads nftables rules by libnftables into the calling thread's network namespace.
#include <memory>
#include <string>

#include "core/base/result.h"

struct nft_ctx;

namespace plait::node {

// One context serves any number of namespaces one after the other: it opens its socket at each run.
class Nft {
 public:
  Nft();
  ~Nft();
  Nft(Nft&&) noexcept = default;
  Nft& operator=(Nft&&) noexcept = default;

  // One transaction; about 1 ms for a workload's rules. At most about 200 KB of text (2,000 map elements): a larger
  // one must be split. Errors: kDenied without the right, kUnavailable when the kernel lacks nf_tables.
  Outcome<> Run(const std::string& commands);

 private:
  struct Free {
    void operator()(nft_ctx* context) const noexcept;
  };
  std::unique_ptr<nft_ctx, Free> context_;
};

}  // namespace plait::node
