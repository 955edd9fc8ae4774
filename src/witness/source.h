// Frames out of a capture file, by libpcap: pcap and pcapng, gzip-compressed or not. Inside the folder only.
#pragma once

#include <pcap/pcap.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace witness {

class Source {
 public:
  static base::Result<Source> open(const std::string& path);
  static base::Result<Source> open(base::ByteView file);  // the bytes must outlive the Source

  struct Frame {
    base::ByteView bytes;    // captured; valid until the next call
    std::uint32_t size = 0;  // on the wire
    std::uint64_t time = 0;  // nanoseconds since the epoch
  };
  enum class Next : std::uint8_t { frame, end, cut, broken };
  // `cut`: the file ends inside a record. `broken`: libpcap refuses the rest; problem() says why.
  Next next(Frame& frame);
  std::string problem() const;
  int link_type() const;

 private:
  struct Close {
    void operator()(pcap_t* handle) const { pcap_close(handle); }
  };
  std::unique_ptr<pcap_t, Close> handle_;
};

}  // namespace witness
