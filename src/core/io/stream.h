#pragma once
// A byte stream to a peer, whatever carries it: a TCP or Unix socket, TLS over one, or a pipe in a test.
// Lives on one loop thread. The owner destroys it through the loop (Loop::DeleteLater) when inside its callbacks.
#include <cstddef>
#include <memory>

#include "core/base/buffer.h"
#include "core/base/result.h"
#include "core/io/address.h"

namespace plait::io {

// What a stream tells its owner. No call runs inside a call of the owner to the stream.
class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  // Connected, and the handshake (if any) is complete: Read and Write work from now on. Exactly once before the others;
  // an accepted plain socket is open from the start and tells it in the next round.
  virtual void OnOpen() = 0;
  // Bytes or the end may be there. Edge: comes again only after a Read that would have blocked.
  virtual void OnReadable() = 0;
  // A Write that took less than it was given may go on.
  virtual void OnWritable() = 0;
  // The stream failed (connect, handshake, reset). Nothing follows; the owner destroys it.
  virtual void OnFailed(Error error) = 0;
};

// What is known of the other side once TLS is established; null for plaintext. Owned by the stream.
struct TlsFacts;  // core/tls/facts.h

class Stream {
 public:
  virtual ~Stream() = default;
  virtual void SetEvents(StreamEvents* events) noexcept = 0;
  // Appends up to `max` bytes. 0: nothing now (an OnReadable will come). Errors: kPeerClosed at the orderly end
  // (repeatable), kPeerReset and others when it broke.
  virtual Result<std::size_t> Read(Buffer& into, std::size_t max) = 0;
  // Takes bytes from the front of `from`; how many. Less than all: an OnWritable will come.
  virtual Result<std::size_t> Write(Buffer& from) = 0;
  // Sends FIN (TLS: close_notify first) after what was written. Read still works.
  virtual void ShutdownWrite() = 0;
  // Whether bytes that a Write has taken, or the end after them, still wait in the stream for the socket: Close would
  // lose them. After ShutdownWrite each OnWritable tells that some have gone.
  virtual bool unsent() const noexcept { return false; }
  // Ends at once; `reset`: with RST instead of FIN. No event follows. Reading and writing are errors afterwards.
  virtual void Close(bool reset) noexcept = 0;
  virtual const SocketAddress& local() const noexcept = 0;
  virtual const SocketAddress& remote() const noexcept = 0;
  virtual const TlsFacts* tls() const noexcept { return nullptr; }
  // The socket below, for splice, TCP_INFO and original destination; -1 when there is none.
  virtual int fd() const noexcept { return -1; }
};

}  // namespace plait::io
