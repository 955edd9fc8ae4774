// The fuzz door of the readers of declarations: the first byte picks one, the rest is its text. What comes out is asked for a peer.
#include <cstdlib>

#include "declare/declare.h"

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 65536) return 0;
  const std::string_view text = base::as_text({data + 1, size - 1});
  declare::Declaration declaration;
  switch (data[0] % 3) {
    case 0: {
      auto mud = declare::from_mud(text, "fuzz");
      if (!mud) return 0;
      declaration = std::move(*mud);
      break;
    }
    case 1: declaration = declare::from_list(text, "fuzz"); break;
    default: declaration = declare::from_manual(declare::split_pages(text), "fuzz"); break;
  }
  (void)declare::looks_like_list(text);
  for (const auto& endpoint : declaration.endpoints) require(!endpoint.place.empty());
  for (const auto& page : declaration.pages) {
    require(!page.label.empty());
    for (const auto& sentence : page.sentences) require(!sentence.empty() && sentence.size() <= 2000);
  }
  for (const std::string_view place : {"192.0.2.7", "2001:db8::7", "updates.example"}) {
    const auto found = declare::match(declaration, place, 515, "tcp");
    require(found.place || (!found.port && found.quote.empty()));
  }
  (void)declare::sentence_with(declaration, {{"update"}, {"network"}});
  return 0;
}
