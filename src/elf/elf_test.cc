// Why: every later stage believes what this folder says about where code, data and imports are, on eight machines.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "elf/elf.h"

namespace elf {
namespace {

struct Target {
  const char* name;
  const char* compiler;
  Machine machine;
  base::ByteOrder order;
  int bits;
};
constexpr std::array targets = {
    Target{"armel", "arm-linux-gnueabi-gcc", Machine::arm, base::ByteOrder::little, 32},
    Target{"armhf", "arm-linux-gnueabihf-gcc", Machine::arm, base::ByteOrder::little, 32},
    Target{"arm64", "aarch64-linux-gnu-gcc", Machine::aarch64, base::ByteOrder::little, 64},
    Target{"mips", "mips-linux-gnu-gcc", Machine::mips, base::ByteOrder::big, 32},
    Target{"mipsel", "mipsel-linux-gnu-gcc", Machine::mips, base::ByteOrder::little, 32},
    Target{"i386", "i686-linux-gnu-gcc", Machine::x86, base::ByteOrder::little, 32},
    Target{"amd64", "gcc", Machine::x86_64, base::ByteOrder::little, 64},
    Target{"powerpc", "powerpc-linux-gnu-gcc", Machine::ppc, base::ByteOrder::big, 32},
};

constexpr const char* source = R"(
#include <stdlib.h>
#include <stdio.h>
const char *table[] = {"first entry", "second entry"};
void hidden_function(void) { system("reboot -f"); }
__attribute__((constructor)) static void before(void) { puts(table[0]); }
int main(int argc, char **argv) { if (argc > 1) hidden_function(); return puts(argv[0]); }
)";

bool have(const char* tool) {
  const std::string command = std::string("command -v ") + tool + " >/dev/null 2>&1";
  return std::system(command.c_str()) == 0;
}

// Compiles `source` with `options`; empty when the compiler failed.
base::Bytes build(const Target& t, const std::string& options, const char* text = source) {
  const auto folder = std::filesystem::temp_directory_path() / ("biopsy-elf-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const auto in = folder / "in.c", out = folder / "out";
  std::ofstream(in) << text;
  const std::string command = std::string(t.compiler) + " " + options + " -o " + out.string() + " " + in.string();
  base::Bytes bytes;
  if (std::system(command.c_str()) == 0)
    if (auto read = base::read_file(out.string())) bytes = *read;
  std::filesystem::remove_all(folder);
  return bytes;
}

class EachMachine : public testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    if (!have(GetParam().compiler)) GTEST_SKIP() << "needs the cross compiler " << GetParam().compiler;
  }
};

TEST_P(EachMachine, a_dynamic_program_tells_its_imports_and_initialisers) {
  const auto bytes = build(GetParam(), "-O2 -g");
  ASSERT_FALSE(bytes.empty());
  const auto b = read(bytes);
  ASSERT_TRUE(b) << b.error().message;
  EXPECT_EQ(b->machine, GetParam().machine);
  EXPECT_EQ(b->order, GetParam().order);
  EXPECT_EQ(b->bits, GetParam().bits);
  EXPECT_FALSE(b->is_static);
  EXPECT_FALSE(b->is_stripped);
  EXPECT_TRUE(b->has_import("system"));
  EXPECT_TRUE(b->has_import("puts"));
  EXPECT_FALSE(b->has_import("mount"));
  ASSERT_EQ(b->needed.size(), 1u);
  EXPECT_EQ(b->needed[0], "libc.so.6");
  EXPECT_TRUE(b->is_code(b->entry));
  EXPECT_GE(b->init_functions.size(), 2u) << "frame_dummy and our constructor";
  for (const auto& i : b->imports)
    if (i.name == "system") {
      EXPECT_NE(i.slot, 0u);
      EXPECT_TRUE(i.function);
      if (GetParam().machine != Machine::x86_64) {
        EXPECT_NE(i.stub, 0u);
        EXPECT_TRUE(b->is_code(i.stub & ~1ull));
      }
    }
  ASSERT_EQ(b->compile_units.size(), 1u);
  EXPECT_TRUE(b->compile_units[0].ends_with("in.c"));
  EXPECT_TRUE(b->doubts.empty());
}

TEST_P(EachMachine, debug_information_names_what_a_function_handles) {
  constexpr const char* text = R"(
struct birth { int birth_year; };
typedef struct { char patient_name[32]; const struct birth *born; unsigned char bed; } record_t;
__attribute__((noinline)) int make_frame(unsigned char *out, const record_t *who) { out[0] = who->bed; return out[0] + who->patient_name[0] + who->born->birth_year; }
__attribute__((noinline)) int sum(int first, int second) { return first * second; }
int main(int argc, char **argv) { return make_frame((unsigned char *)argv[0], (const record_t *)argv[argc]) + sum(argc, 3); }
)";
  for (const std::string options : {"-O2 -g -gdwarf-4", "-O1 -g -gdwarf-5", "-O0 -g -gdwarf-2 -gstrict-dwarf"}) {
    const auto bytes = build(GetParam(), options, text);
    ASSERT_FALSE(bytes.empty());
    const auto b = read(bytes);
    ASSERT_TRUE(b);
    const auto names = names_in_functions(*b);
    const auto of = [&](std::string_view function) {
      for (const auto& symbol : b->symbols)
        if (symbol.name == function)
          if (const auto found = names.find(b->machine == Machine::arm ? symbol.address & ~1ull : symbol.address); found != names.end()) return found->second;
      return std::vector<std::string>{};
    };
    const auto frame = of("make_frame"), sum = of("sum");
    for (const auto wanted : {"out", "who", "patient_name", "bed", "born", "birth_year"}) EXPECT_TRUE(std::ranges::find(frame, wanted) != frame.end()) << options << ": " << wanted;
    EXPECT_EQ(sum, (std::vector<std::string>{"first", "second"})) << options;
  }
  const auto stripped = build(GetParam(), "-O2", text);
  ASSERT_TRUE(read(stripped));
  EXPECT_TRUE(names_in_functions(*read(stripped)).empty());
}

TEST_P(EachMachine, stripping_takes_names_and_nothing_else) {
  const auto whole = build(GetParam(), "-O1");
  const auto bare = build(GetParam(), "-O1 -s");
  const auto a = read(whole), b = read(bare);
  ASSERT_TRUE(a && b);
  EXPECT_TRUE(b->is_stripped);
  EXPECT_EQ(a->entry, b->entry);
  EXPECT_EQ(a->imports.size(), b->imports.size());
  const auto named = [](const Binary& x) {
    return std::any_of(x.symbols.begin(), x.symbols.end(), [](const Symbol& s) { return s.name == "hidden_function" && !s.dynamic; });
  };
  EXPECT_TRUE(named(*a));
  EXPECT_FALSE(named(*b));
  bool seen = false;
  for (const auto& t : b->strings()) {
    if (t.text != "reboot -f") continue;
    seen = true;
    EXPECT_EQ(b->c_string(t.address), "reboot -f");
    EXPECT_EQ(base::as_text(b->view(t.address, 6)), "reboot");
    ASSERT_TRUE(b->file_offset(t.address));
    EXPECT_EQ(base::as_text(base::ByteView(bare).subspan(*b->file_offset(t.address), 9)), "reboot -f");
  }
  EXPECT_TRUE(seen);
}

TEST_P(EachMachine, without_section_headers_the_same_is_known) {
  auto bytes = build(GetParam(), "-O2 -s");
  ASSERT_FALSE(bytes.empty());
  const auto with = read(bytes);
  for (std::size_t i = GetParam().bits == 64 ? 40 : 32, n = GetParam().bits == 64 ? 8 : 4; n > 0; --n) bytes[i++] = 0;
  const auto without = read(bytes);
  ASSERT_TRUE(with && without);
  EXPECT_TRUE(without->sections.empty());
  EXPECT_EQ(with->imports.size(), without->imports.size());
  EXPECT_EQ(with->relocations.size(), without->relocations.size());
  EXPECT_EQ(with->init_functions, without->init_functions);
  EXPECT_EQ(with->needed, without->needed);
}

TEST_P(EachMachine, a_static_program_is_known_as_such) {
  const auto bytes = build(GetParam(), "-O2 -static -s");
  if (bytes.empty()) GTEST_SKIP() << "needs a static libc for " << GetParam().name;
  const auto b = read(bytes);
  ASSERT_TRUE(b);
  EXPECT_TRUE(b->is_static);
  EXPECT_TRUE(b->is_stripped);
  EXPECT_TRUE(b->imports.empty());
}

INSTANTIATE_TEST_SUITE_P(Machines, EachMachine, testing::ValuesIn(targets),
                         [](const auto& target) { return std::string(target.param.name); });

TEST(Read, refuses_what_it_cannot_read_with_the_right_reason) {
  const base::Bytes text = {'#', '!', '/', 'b', 'i', 'n'};
  ASSERT_FALSE(read(text));
  EXPECT_EQ(read(text).error().kind, base::Error::Kind::unsupported);
  const base::Bytes stub = {0x7F, 'E', 'L', 'F', 1, 1, 1};
  ASSERT_FALSE(read(stub));
  EXPECT_EQ(read(stub).error().kind, base::Error::Kind::damaged);
}

TEST(Read, every_truncation_of_a_real_program_is_survived) {
  const auto self = base::read_file("/proc/self/exe");
  ASSERT_TRUE(self);
  auto bytes = build(targets[6], "-O1");
  if (bytes.empty()) GTEST_SKIP() << "needs gcc";
  for (std::size_t length = 0; length < bytes.size(); length += length < 1024 ? 1 : 257) {
    const base::Bytes part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const auto b = read(part);
    if (!b) continue;
    for (const auto& s : b->segments) EXPECT_LE(s.offset + s.file_size, std::max<std::size_t>(length, s.offset));
  }
}

}  // namespace
}  // namespace elf
