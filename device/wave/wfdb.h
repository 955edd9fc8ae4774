// WFDB records: a header and signal files in, samples in ADC units out; annotation files in and out.
//
// Formats of signal files: 8, 16, 24, 32, 61, 80, 160, 212, 310, 311. Not read: multi-segment records, FLAC (508, 516, 524).
// Source: G. Moody, "WFDB Applications Guide", header(5), signal(5), annot(5); PhysioNet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace bedside {

// A sample that the source marks as missing.
inline constexpr std::int32_t missing_sample = INT32_MIN;

// One signal line of a header. Missing fields carry the defaults of header(5).
struct SignalSpec {
  std::string file;
  int format = 16;
  int samples_per_frame = 1;
  int skew = 0;                    // samples by which this signal lags the others in the file
  std::uint64_t byte_offset = 0;   // of the first sample in the file
  double gain = 200;               // ADC units per physical unit
  double baseline = 0;             // ADC units at 0 physical units
  std::string units = "mV";
  int adc_resolution = 12;
  int adc_zero = 0;
  int initial_value = 0;
  int checksum = 0;
  bool has_checksum = false;
  std::string description;
};

struct WfdbHeader {
  std::string name;
  double frequency = 250;      // frames per second
  std::uint64_t length = 0;    // frames; 0 when the header does not say
  std::vector<SignalSpec> signals;
  std::vector<std::string> comments;
};

// A record in memory: one vector a signal, one sample a frame (several samples in a frame are averaged).
struct WfdbRecord {
  WfdbHeader header;
  std::vector<std::vector<std::int32_t>> samples;  // ADC units; missing_sample where the source has none
  // Physical units (mostly mV); NaN where missing.
  float physical(std::size_t signal, std::size_t frame) const;
};

// One annotation. Codes are those of ecgcodes.h: 1 normal, 5 premature ventricular contraction, 32 and 33 the ends of fibrillation.
struct Annotation {
  std::int64_t time = 0;  // samples from the start of the record
  std::uint8_t code = 0;
  std::int8_t subtype = 0;
  std::uint8_t channel = 0;
  std::int8_t number = 0;
  std::string aux;
  bool operator==(const Annotation&) const = default;
};

// Errors: damaged (no record line, counts that do not fit), unsupported (multi-segment).
base::Result<WfdbHeader> parse_wfdb_header(std::string_view text);

// Decodes one signal file that holds `count` samples of `format` from `bytes`; fewer when the bytes end first.
base::Result<std::vector<std::int32_t>> decode_samples(base::ByteView bytes, int format, std::uint64_t count);

// Reads DIR/NAME.hea and the signal files it names (which must lie in DIR). Oddities go to `doubts`: short-signal, bad-checksum.
base::Result<WfdbRecord> read_wfdb_record(const std::string& dir, const std::string& name, base::Doubts& doubts);

// The MIT annotation format (2-byte words, SKIP, NUM, SUB, CHN, AUX). Reading ends at the zero word or the end of the bytes.
// Errors: damaged when a word announces more than is left.
base::Result<std::vector<Annotation>> parse_annotations(base::ByteView bytes);

// The inverse of parse_annotations(). `annotations` must be in order of time, not negative.
base::Bytes write_annotations(const std::vector<Annotation>& annotations);

// Names of the records of a folder (every NAME.hea that has a NAME.`annotator`; all headers when `annotator` is empty), sorted.
std::vector<std::string> list_records(const std::string& dir, const std::string& annotator);

}  // namespace bedside
