#include "node/nft.h"

#include <nftables/libnftables.h>

#include <cerrno>

#include "core/base/strings.h"

namespace plait::node {

Nft::Nft() : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
  if (!context_) return;
  nft_ctx_buffer_error(context_.get());
  nft_ctx_buffer_output(context_.get());
}
Nft::~Nft() = default;
void Nft::Free::operator()(nft_ctx* context) const noexcept { nft_ctx_free(context); }

Outcome<> Nft::Run(const std::string& commands) {
  if (!context_) return Explain(Errc::kInternal, "nftables: no memory for a context");
  errno = 0;
  // The return code decides; errno and the text are only for the message (both can mislead).
  if (nft_run_cmd_from_buffer(context_.get(), commands.c_str()) == 0) return {};
  const int error = errno;
  std::string text(Trim(nft_ctx_get_error_buffer(context_.get())));
  text = text.substr(0, text.find('\n'));
  if (error == EPERM) return Explain(Errc::kDenied, "nftables: not permitted: " + text);
  return Explain(Errc::kUnavailable, "nftables refuses the rules: " + text,
                 "this kernel may lack nf_tables with nat and redirect: modprobe nf_tables nft_redir nft_ct nft_reject_inet");
}

}  // namespace plait::node
