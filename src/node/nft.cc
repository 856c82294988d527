#include "node/nft.h"

#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/base/strings.h"

namespace plait::node {

namespace {

// What the commands print. `failed` says of nftables what it is when it does not do them.
Outcome<std::string> RunInNewContext(const std::string& commands, const std::string& failed, unsigned flags) {
  struct Free {
    void operator()(nft_ctx* context) const noexcept { nft_ctx_free(context); }
  };
  const std::unique_ptr<nft_ctx, Free> context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return Explain(Errc::kInternal, "nftables: no memory for a context");
  nft_ctx_buffer_error(context.get());
  nft_ctx_buffer_output(context.get());
  nft_ctx_output_set_flags(context.get(), flags);
  errno = 0;
  // The return code decides; errno and the text are only for the message (both can mislead).
  if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) == 0) return nft_ctx_get_output_buffer(context.get());
  const int error = errno;
  std::string text(Trim(nft_ctx_get_error_buffer(context.get())));
  text = text.substr(0, text.find('\n'));
  if (error == EPERM) return Explain(Errc::kDenied, "nftables " + failed + ": not permitted: " + text);
  return Explain(Errc::kUnavailable, "nftables " + failed + ": " + text);
}

}  // namespace

void Nft::Reserve() {
  for (io::UniqueFd& fd : reserved_) fd.Reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

Outcome<> Nft::Run(const std::string& commands) {
  Outcome<std::string> done = Ask(commands, "refuses the rules");
  if (done) return {};
  if (done.error().code == Errc::kUnavailable)
    done.error().hint =
        "this kernel may lack nf_tables with nat and redirect: modprobe nf_tables nft_redir nft_ct nft_reject_inet";
  return std::unexpected(std::move(done.error()));
}

Outcome<std::string> Nft::List() { return Ask("list ruleset", "cannot list the rules"); }

Outcome<std::string> Nft::ListWithSetsOf(const std::string& table) {
  constexpr const char* kFailed = "cannot list the rules";
  Outcome<std::string> all = Ask("list ruleset", kFailed, NFT_CTX_OUTPUT_TERSE);
  if (!all || all->find("table " + table + " {") == std::string::npos) return all;
  const Outcome<std::string> one = Ask("list table " + table, kFailed);
  if (!one) return one;
  return *all + *one;
}

Outcome<std::string> Nft::Ask(const std::string& commands, const std::string& failed, unsigned flags) {
  for (io::UniqueFd& fd : reserved_) fd.Reset();  // the kernel gives the lowest free number
  Outcome<std::string> said = RunInNewContext(commands, failed, flags);
  Reserve();
  return said;
}

Outcome<io::UniqueFd> MonitorRules() {
  io::UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  // Bound, for the kernel tells nothing to the port 0 that it speaks of itself as.
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1U << (NFNLGRP_NFTABLES - 1);
  if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Explain(Errc::kDenied, std::string("nftables cannot tell when rules change: ") + strerror(errno));
  return fd;
}

}  // namespace plait::node
