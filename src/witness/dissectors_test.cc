// Every protocol and every kind of observation in the registries is reached by an input of the committed
// corpus: a dissector that stops recognising its own protocol, or an entry that nothing produces, fails here.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "witness/said.h"
#include "witness/verdict.h"

namespace {

std::set<std::string> applications, kinds;

void read_corpus() {
  for (const auto& entry :
       std::filesystem::directory_iterator(BIOPSY_SOURCE_DIR "/src/witness/corpus/payload")) {
    const auto bytes = base::read_file(entry.path().string());
    ASSERT_TRUE(bytes);
    const auto what = witness::wire::said(*bytes);
    ASSERT_TRUE(what) << entry.path();
    const auto capture = witness::read(witness::wire::capture_of(*what, what->segment));
    ASSERT_TRUE(capture) << entry.path();
    for (const auto& flow : capture->flows) applications.insert(flow.application);
    for (const auto& o : capture->observations) kinds.insert(std::string(witness::to_text(o.kind)));
  }
}

TEST(Corpus, ReachesEveryProtocolAndKind) {
  read_corpus();
  // Reached elsewhere: an FTP data connection needs two connections, SSH says nothing.
  const std::set<std::string> elsewhere{"", "ftp-data", "ssh"};
#define WITNESS_PROTOCOL(name, text) \
  if (!elsewhere.contains(text)) EXPECT_TRUE(applications.contains(text)) << text;
#include "witness/protocols.def"
#undef WITNESS_PROTOCOL
  // A canary is asked for by an option; oddities are judged from other observations today.
  const std::set<std::string> asked{"canary", "oddity"};
#define WITNESS_KIND(name, text, meaning) \
  if (!asked.contains(text)) EXPECT_TRUE(kinds.contains(text)) << text;
#include "witness/kinds.def"
#undef WITNESS_KIND
}

}  // namespace
