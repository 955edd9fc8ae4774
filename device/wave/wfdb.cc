// Implements wfdb.h.
#include "device/wave/wfdb.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>

#include "base/checked.h"
#include "base/text.h"

namespace bedside {
namespace {

using base::Error;

constexpr std::uint64_t max_samples = std::uint64_t{1} << 28;
constexpr std::size_t max_signals = 64;

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The longest numeric prefix, and what follows it.
template <class T>
std::optional<T> leading(std::string_view& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// "212x2:3+24": format, samples a frame, skew, byte offset.
bool parse_format(std::string_view text, SignalSpec& spec) {
  const auto format = leading<int>(text);
  if (!format) return false;
  spec.format = *format;
  while (!text.empty()) {
    const char mark = text.front();
    text.remove_prefix(1);
    if (mark == '+') {
      const auto offset = leading<std::uint64_t>(text);
      if (!offset) return false;
      spec.byte_offset = *offset;
      continue;
    }
    const auto value = leading<int>(text);
    if (!value) return false;
    if (mark == 'x') spec.samples_per_frame = *value;
    else if (mark == ':') spec.skew = *value;
    else return false;
  }
  return spec.samples_per_frame >= 1 && spec.samples_per_frame <= 1024 && spec.skew >= 0 && spec.skew < 1 << 20;
}

// "200(0)/mV": gain, baseline, units. The flag says whether a baseline was given.
bool parse_gain(std::string_view text, SignalSpec& spec) {
  bool has_baseline = false;
  const auto gain = leading<double>(text);
  if (gain && std::isfinite(*gain) && *gain != 0) spec.gain = *gain;
  if (!text.empty() && text.front() == '(') {
    text.remove_prefix(1);
    const auto baseline = leading<int>(text);
    if (baseline && !text.empty() && text.front() == ')') {
      spec.baseline = *baseline;
      has_baseline = true;
      text.remove_prefix(1);
    }
  }
  if (!text.empty() && text.front() == '/') spec.units = std::string(text.substr(1));
  return has_baseline;
}

base::Result<SignalSpec> parse_signal_line(std::string_view line) {
  const auto words = base::split_words(line);
  SignalSpec spec;
  if (words.size() < 2 || !parse_format(words[1], spec))
    return base::fail(Error::Kind::damaged, fmt::format("signal line without file and format: {}", line));
  spec.file = std::string(words[0]);
  bool has_baseline = false;
  if (words.size() > 2) has_baseline = parse_gain(words[2], spec);
  if (words.size() > 3) spec.adc_resolution = number<int>(words[3]).value_or(12);
  if (words.size() > 4) spec.adc_zero = number<int>(words[4]).value_or(0);
  if (!has_baseline) spec.baseline = spec.adc_zero;
  spec.initial_value = spec.adc_zero;
  if (words.size() > 5) spec.initial_value = number<int>(words[5]).value_or(spec.adc_zero);
  if (words.size() > 6)
    if (const auto sum = number<int>(words[6])) {
      spec.checksum = *sum;
      spec.has_checksum = true;
    }
  for (std::size_t i = 8; i < words.size(); ++i)
    spec.description += (i > 8 ? " " : "") + std::string(words[i]);
  return spec;
}

bool parse_record_line(std::string_view line, WfdbHeader& header, std::size_t& signals) {
  const auto words = base::split_words(line);
  if (words.size() < 2) return false;
  header.name = std::string(words[0]);
  const auto count = number<std::size_t>(words[1]);
  if (!count || *count > max_signals) return false;
  signals = *count;
  if (words.size() > 2) {
    std::string_view rate = words[2];
    const auto frequency = leading<double>(rate);
    if (!frequency || !(*frequency > 0) || *frequency > 1e6) return false;
    header.frequency = *frequency;
  }
  if (words.size() > 3) {
    const auto length = number<std::uint64_t>(words[3]);
    if (!length || *length > max_samples) return false;
    header.length = *length;
  }
  return true;
}

std::int32_t sign_extend(std::uint32_t value, int bits) {
  const std::uint32_t top = std::uint32_t{1} << (bits - 1);
  return static_cast<std::int32_t>((value ^ top) - top);
}

std::int32_t or_missing(std::int32_t value, int bits) {
  return value == -(std::int32_t{1} << (bits - 1)) ? missing_sample : value;
}

// Samples of 10 bits, three in four bytes. 310: low 11 bits of two words from bit 1, the third from their upper five bits each.
// 311: ten bits each from the low end of one 32-bit word.
void unpack_10(base::ByteReader& reader, int format, std::vector<std::int32_t>& out, std::uint64_t count) {
  while (out.size() < count && reader.left() >= 2) {
    std::uint32_t part[3] = {};
    std::size_t whole = 3;
    if (format == 310) {
      const std::uint32_t first = reader.u16();
      const bool both = reader.left() >= 2;
      const std::uint32_t second = both ? reader.u16() : 0;
      part[0] = first >> 1 & 0x3FF;
      part[1] = second >> 1 & 0x3FF;
      part[2] = (first >> 11 & 0x1F) | (second >> 11 & 0x1F) << 5;
      whole = both ? 3 : 1;
    } else {
      const bool both = reader.left() >= 4;
      const std::uint32_t word = both ? reader.u32() : reader.u16();
      for (int i = 0; i < 3; ++i) part[i] = word >> (10 * i) & 0x3FF;
      whole = both ? 3 : 1;
    }
    for (std::size_t i = 0; i < whole && out.size() < count; ++i)
      out.push_back(or_missing(sign_extend(part[i], 10), 10));
  }
}

// Pairs of 12-bit samples in three bytes.
void unpack_212(base::ByteReader& reader, std::vector<std::int32_t>& out, std::uint64_t count) {
  while (out.size() < count && reader.left() >= 2) {
    const std::uint32_t low = reader.u8();
    const std::uint32_t middle = reader.u8();
    out.push_back(or_missing(sign_extend(low | (middle & 0x0F) << 8, 12), 12));
    if (out.size() == count || reader.at_end()) return;
    const std::uint32_t high = reader.u8();
    out.push_back(or_missing(sign_extend(high | (middle & 0xF0) << 4, 12), 12));
  }
}

std::uint64_t bytes_for(int format, std::uint64_t count) {
  switch (format) {
    case 8: case 80: return count;
    case 212: return (count * 3 + 1) / 2;
    case 310: case 311: return (count + 2) / 3 * 4;
    case 24: return count * 3;
    case 32: return count * 4;
    default: return count * 2;
  }
}

bool plain_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name != "." && name != "..";
}

// The samples of one file, which interleaves `members` frame by frame, spread over the record's vectors.
void spread(const std::vector<std::int32_t>& flat, const std::vector<std::size_t>& members, std::uint64_t frames,
            WfdbRecord& record) {
  std::size_t at = 0;
  for (std::uint64_t frame = 0; frame < frames; ++frame)
    for (const std::size_t member : members) {
      const int per_frame = record.header.signals[member].samples_per_frame;
      std::int64_t sum = 0;
      int known = 0;
      for (int i = 0; i < per_frame && at < flat.size(); ++i, ++at) {
        if (flat[at] == missing_sample) continue;
        sum += flat[at];
        ++known;
      }
      record.samples[member].push_back(known ? static_cast<std::int32_t>(sum / known) : missing_sample);
    }
  for (const std::size_t member : members) {
    auto& samples = record.samples[member];
    const auto skew = std::min<std::size_t>(static_cast<std::size_t>(record.header.signals[member].skew), samples.size());
    samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(skew));
    samples.resize(samples.size() + skew, missing_sample);
  }
}

void check_sum(const SignalSpec& spec, const std::vector<std::int32_t>& samples, const std::string& name,
               base::Doubts& doubts) {
  if (!spec.has_checksum || spec.samples_per_frame != 1 || spec.skew != 0) return;
  std::uint32_t sum = 0;
  for (const auto sample : samples)
    if (sample != missing_sample) sum += static_cast<std::uint32_t>(sample);
    else return;  // what a missing sample adds differs between writers
  if ((sum & 0xFFFF) != (static_cast<std::uint32_t>(spec.checksum) & 0xFFFF))
    base::add_doubt(doubts, {"bad-checksum", name, 0, fmt::format("signal {} does not add up", spec.description)});
}

}  // namespace

float WfdbRecord::physical(std::size_t signal, std::size_t frame) const {
  const auto raw = samples[signal][frame];
  if (raw == missing_sample) return std::numeric_limits<float>::quiet_NaN();
  const auto& spec = header.signals[signal];
  return static_cast<float>((raw - spec.baseline) / spec.gain);
}

base::Result<WfdbHeader> parse_wfdb_header(std::string_view text) {
  WfdbHeader header;
  std::size_t expected = 0;
  bool has_record_line = false;
  for (const auto raw : base::split(text, '\n')) {
    const auto line = base::trim(raw);
    if (line.empty()) continue;
    if (line.front() == '#') {
      header.comments.emplace_back(base::trim(line.substr(1)));
    } else if (!has_record_line) {
      if (!parse_record_line(line, header, expected))
        return base::fail(Error::Kind::damaged, fmt::format("not a WFDB record line: {}", line));
      if (header.name.find('/') != std::string::npos)
        return base::fail(Error::Kind::unsupported, "a multi-segment WFDB record");
      has_record_line = true;
    } else if (header.signals.size() < expected) {
      auto spec = parse_signal_line(line);
      if (!spec) return std::unexpected(spec.error());
      header.signals.push_back(std::move(*spec));
    }
  }
  if (!has_record_line) return base::fail(Error::Kind::damaged, "a WFDB header without a record line");
  if (header.signals.size() != expected)
    return base::fail(Error::Kind::damaged, "a WFDB header with fewer signal lines than it announces");
  return header;
}

base::Result<std::vector<std::int32_t>> decode_samples(base::ByteView bytes, int format, std::uint64_t count) {
  if (count > max_samples) return base::fail(Error::Kind::over_budget, "a signal file of more than 2^28 samples");
  base::ByteReader reader(bytes);
  std::vector<std::int32_t> out;
  out.reserve(std::min<std::uint64_t>(count, bytes.size() * 2));
  std::int32_t running = 0;
  const auto each = [&](std::uint64_t width, auto&& next) {
    while (out.size() < count && reader.left() >= width) out.push_back(next());
  };
  switch (format) {
    case 8: each(1, [&] { return running += static_cast<std::int8_t>(reader.u8()); }); break;
    case 16: each(2, [&] { return or_missing(static_cast<std::int16_t>(reader.u16()), 16); }); break;
    case 24:
      each(3, [&] {
        const std::uint32_t low = reader.u16();
        return or_missing(sign_extend(low | std::uint32_t{reader.u8()} << 16, 24), 24);
      });
      break;
    case 32: each(4, [&] { return static_cast<std::int32_t>(reader.u32()); }); break;  // INT32_MIN is missing_sample
    case 61:
      each(2, [&] {
        const std::uint32_t high = reader.u8();
        return or_missing(static_cast<std::int16_t>(high << 8 | reader.u8()), 16);
      });
      break;
    case 80: each(1, [&] { return or_missing(std::int32_t{reader.u8()} - 128, 8); }); break;
    case 160: each(2, [&] { return std::int32_t{reader.u16()} - 32768; }); break;
    case 212: unpack_212(reader, out, count); break;
    case 310: case 311: unpack_10(reader, format, out, count); break;
    default: return base::fail(Error::Kind::unsupported, fmt::format("WFDB signal format {}", format));
  }
  return out;
}

base::Result<WfdbRecord> read_wfdb_record(const std::string& dir, const std::string& name, base::Doubts& doubts) {
  const auto head = base::read_file(dir + "/" + name + ".hea", 1 << 20);
  if (!head) return std::unexpected(head.error());
  auto header = parse_wfdb_header(base::as_text(*head));
  if (!header) return std::unexpected(header.error());
  WfdbRecord record{std::move(*header), {}};
  auto& signals = record.header.signals;
  record.samples.resize(signals.size());

  std::map<std::string, std::vector<std::size_t>> files;
  for (std::size_t i = 0; i < signals.size(); ++i) files[signals[i].file].push_back(i);
  for (const auto& [file, members] : files) {
    if (!plain_name(file)) return base::fail(Error::Kind::damaged, fmt::format("{}: signal file outside the folder", name));
    const auto bytes = base::read_file(dir + "/" + file, std::uint64_t{1} << 30);
    if (!bytes) return std::unexpected(bytes.error());
    std::uint64_t per_frame = 0;
    for (const auto member : members) {
      if (signals[member].format != signals[members[0]].format)
        return base::fail(Error::Kind::damaged, fmt::format("{}: two formats in one signal file", name));
      per_frame += static_cast<std::uint64_t>(signals[member].samples_per_frame);
    }
    const auto body = base::clipped(*bytes, signals[members[0]].byte_offset);
    const int format = signals[members[0]].format;
    std::uint64_t frames = record.header.length;
    if (frames == 0) frames = body.size() * 2 / per_frame;  // as many as the densest format could hold
    auto flat = decode_samples(body, format, std::min(frames * per_frame, max_samples));
    if (!flat) return std::unexpected(flat.error());
    if (format == 8 && members.size() == 1)
      for (auto& sample : *flat) sample += signals[members[0]].initial_value;
    if (format == 8 && members.size() != 1)
      return base::fail(Error::Kind::unsupported, fmt::format("{}: several difference signals in one file", name));
    const std::uint64_t whole = flat->size() / per_frame;
    if (record.header.length && whole < record.header.length)
      base::add_doubt(doubts, {"short-signal", dir + "/" + file, bytes_for(format, flat->size()),
                               fmt::format("{} of {} frames", whole, record.header.length)});
    spread(*flat, members, whole, record);
  }
  std::size_t shortest = record.samples.empty() ? 0 : record.samples[0].size();
  for (const auto& samples : record.samples) shortest = std::min(shortest, samples.size());
  for (std::size_t i = 0; i < signals.size(); ++i) {
    if (record.samples[i].size() == record.header.length) check_sum(signals[i], record.samples[i], name, doubts);
    record.samples[i].resize(shortest);
  }
  return record;
}

base::Result<std::vector<Annotation>> parse_annotations(base::ByteView bytes) {
  constexpr unsigned skip = 59, num = 60, sub = 61, chn = 62, aux = 63;
  base::ByteReader reader(bytes);
  std::vector<Annotation> out;
  std::int64_t time = 0;
  std::uint8_t channel = 0;
  std::int8_t numbering = 0;
  while (reader.left() >= 2) {
    const std::uint16_t word = reader.u16();
    const unsigned code = word >> 10;
    const unsigned value = word & 0x3FF;
    if (word == 0) break;
    if (code == skip) {  // a PDP-11 long: high half first, each half little-endian
      const std::uint32_t high = reader.u16();
      const std::uint32_t low = reader.u16();
      time += static_cast<std::int32_t>(high << 16 | low);
    } else if (code == num || code == sub || code == chn) {
      if (code == num) numbering = static_cast<std::int8_t>(value);
      if (code == chn) channel = static_cast<std::uint8_t>(value);
      if (out.empty()) continue;
      if (code == num) out.back().number = numbering;
      if (code == sub) out.back().subtype = static_cast<std::int8_t>(value);
      if (code == chn) out.back().channel = channel;
    } else if (code == aux) {
      const auto text = base::as_text(reader.take(value));
      if (value % 2) reader.skip(1);
      if (!out.empty()) out.back().aux = std::string(text);
    } else {
      time += value;
      out.push_back({time, static_cast<std::uint8_t>(code), 0, channel, numbering, {}});
    }
    if (!reader.ok()) return base::fail(Error::Kind::damaged, "an annotation file that ends inside an annotation");
  }
  return out;
}

base::Bytes write_annotations(const std::vector<Annotation>& annotations) {
  base::Bytes out;
  const auto word = [&](unsigned value) {
    out.push_back(static_cast<std::uint8_t>(value));
    out.push_back(static_cast<std::uint8_t>(value >> 8));
  };
  std::int64_t time = 0;
  std::uint8_t channel = 0;
  std::int8_t numbering = 0;
  for (const auto& a : annotations) {
    auto step = static_cast<std::uint64_t>(a.time - time);
    while (step > 0x3FF) {
      const auto jump = static_cast<std::uint32_t>(std::min<std::uint64_t>(step, 0x7FFFFFFF));
      word(59u << 10);
      word(jump >> 16);
      word(jump & 0xFFFF);
      step -= jump;
    }
    time = a.time;
    word(static_cast<unsigned>(a.code) << 10 | static_cast<unsigned>(step));
    if (a.subtype) word(61u << 10 | static_cast<std::uint8_t>(a.subtype));
    if (a.channel != channel) word(62u << 10 | (channel = a.channel));
    if (a.number != numbering) word(60u << 10 | static_cast<std::uint8_t>(numbering = a.number));
    if (!a.aux.empty()) {
      const std::string text = a.aux.substr(0, 0x3FF);
      word(63u << 10 | static_cast<unsigned>(text.size()));
      out.insert(out.end(), text.begin(), text.end());
      if (text.size() % 2) out.push_back(0);
    }
  }
  word(0);
  return out;
}

std::vector<std::string> list_records(const std::string& dir, const std::string& annotator) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != ".hea") continue;
    const auto name = it->path().stem().string();
    std::error_code missing;
    if (!annotator.empty() && !std::filesystem::exists(dir + "/" + name + "." + annotator, missing)) continue;
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace bedside
