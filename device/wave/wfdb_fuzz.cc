// Why: headers, signal files and annotations come from anywhere; whatever the bytes, reading ends, stays in bounds, and annotations survive a round trip.
#include <cstdlib>

#include "device/wave/csv.h"
#include "device/wave/wfdb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bedside;
  if (size == 0) return 0;
  const base::ByteView rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      const auto header = parse_wfdb_header(base::as_text(rest));
      if (header && header->signals.size() > 64) std::abort();
      break;
    }
    case 1: {
      const auto read = parse_annotations(rest);
      if (!read) break;
      std::int64_t before = 0;
      for (const auto& a : *read) {
        if (a.time < before || a.code == 0 || a.code >= 59) return 0;  // out of order or without a code: cannot be written back
        before = a.time;
      }
      const auto back = parse_annotations(write_annotations(*read));
      if (!back || back->size() != read->size()) std::abort();
      for (std::size_t i = 0; i < back->size(); ++i)
        if ((*back)[i].time != (*read)[i].time || (*back)[i].code != (*read)[i].code || (*back)[i].aux != (*read)[i].aux) std::abort();
      break;
    }
    case 2: {
      if (size < 2) break;
      constexpr int formats[] = {8, 16, 24, 32, 61, 80, 160, 212, 310, 311};
      const auto samples = decode_samples(rest.subspan(1), formats[data[1] % 10], 1 << 20);
      if (!samples || samples->size() > size) std::abort();
      break;
    }
    default: {
      const auto csv = parse_csv(base::as_text(rest));
      if (csv)
        for (const auto& column : csv->columns)
          if (column.size() != csv->columns[0].size()) std::abort();
    }
  }
  return 0;
}
