// Inside rules/: how new code arrives, as walks over the graph, before it is graded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "effects/effects.h"

namespace rules {

// The edges of one graph, ready to be asked.
class Links {
 public:
  explicit Links(const effects::Graph& graph);
  const std::vector<effects::EffectId>& feeds_out(effects::EffectId id) const { return feeds_out_[id.index]; }
  const std::vector<effects::EffectId>& feeds_in(effects::EffectId id) const { return feeds_in_[id.index]; }
  // What is tested before: of the effect itself, and of the runs of its program where only other programs start it.
  const std::vector<effects::EffectId>& guards_of(effects::EffectId id) const { return guards_[id.index]; }
  // True where `first` comes before `then` on every path, or stands above it in the same script.
  bool precedes(effects::EffectId first, effects::EffectId then) const;

 private:
  const effects::Graph& graph_;
  std::vector<std::vector<effects::EffectId>> feeds_out_, feeds_in_, guards_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> before_;
};

// From an effect that brings content in to one that installs it; both ends included.
using Way = std::vector<effects::EffectId>;

// The ways of one program from one source.
struct Arrival {
  effects::ProgramId program;
  std::vector<effects::EffectId> sources;
  std::vector<Way> ways;
  std::set<effects::EffectId> content;  // effects that what came in flows to, up to and with those that install it
  std::string source, transport;        // see result::UpdatePath
  std::optional<effects::Endpoint> peer;
  // Of a script that writes a file to flash which whoever runs it names: the scripts whose functions it runs, itself included. In
  // which order they act is not known. Empty for every other way.
  std::set<effects::ProgramId> family;
};

std::vector<Arrival> arrivals(const effects::Graph& graph, const Links& links);

// The path that an effect reads, without a glob at its end; empty where it has none.
std::string path_read(const effects::Effect& effect);

// What a check says of the bytes that a way installs.
struct Coverage {
  enum class Kind : std::uint8_t {
    none,       // it reads something else, or only a part
    unknown,    // what it reads could not be followed
    live,       // it reads them where the source can still change them, and they are read again
    whole,      // it reads what is installed
  } kind = Kind::none;
  std::string reads;  // paths, for a sentence
};
Coverage coverage_of(const effects::Graph& graph, const Links& links, const Arrival& arrival, const Way& way, effects::EffectId check);

// All effects that what `source` brings in flows to, itself among them.
std::set<effects::EffectId> reached_from(const Links& links, effects::EffectId source);

// True when the check decides whether the way goes on behind its source.
bool guards(const Links& links, const Way& way, effects::EffectId check);

}  // namespace rules
