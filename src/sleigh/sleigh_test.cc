// Why: a wrong instruction length or a table that is not found makes every later stage wrong. Capstone is the second opinion.
#include <capstone/capstone.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sleigh/sleigh.h"

namespace sleigh {
namespace {

struct Target {
  const char* name;
  const char* compiler;
  const char* options;
  cs_arch arch;
  int mode;
  bool thumb;
};
const Target targets[] = {
    {"armel", "arm-linux-gnueabi-gcc", "-march=armv5te -marm", CS_ARCH_ARM, CS_MODE_ARM, false},
    {"thumb2", "arm-linux-gnueabihf-gcc", "-mthumb", CS_ARCH_ARM, CS_MODE_THUMB, true},
    {"arm64", "aarch64-linux-gnu-gcc", "", CS_ARCH_ARM64, CS_MODE_ARM, false},
    {"mips", "mips-linux-gnu-gcc", "", CS_ARCH_MIPS, static_cast<int>(CS_MODE_MIPS32 | CS_MODE_BIG_ENDIAN), false},
    {"mipsel", "mipsel-linux-gnu-gcc", "", CS_ARCH_MIPS, CS_MODE_MIPS32, false},
    {"i386", "i686-linux-gnu-gcc", "", CS_ARCH_X86, CS_MODE_32, false},
    {"amd64", "gcc", "", CS_ARCH_X86, CS_MODE_64, false},
    {"powerpc", "powerpc-linux-gnu-gcc", "", CS_ARCH_PPC, static_cast<int>(CS_MODE_32 | CS_MODE_BIG_ENDIAN), false},
};

constexpr const char* source = R"(
#include <string.h>
#include <stdio.h>
int sum(const int *v, int n) { int s = 0; for (int i = 0; i < n; i++) s += v[i] * (i & 3 ? 7 : -2); return s; }
int pick(int n) { switch (n) { case 0: return puts("a"); case 1: return puts("b"); case 2: return puts("c");
  case 3: return putchar(n); case 4: return -n; case 5: return n / 3; } return n % 10; }
struct pair { unsigned char a; unsigned short b; unsigned int c; } __attribute__((packed));
unsigned mix(struct pair *p, unsigned k) { p->b = (unsigned short)(p->b << 3 | p->a); p->c ^= k; return p->c >> 5; }
int main(int argc, char **argv) { struct pair p = {1, 2, 3}; char b[64]; snprintf(b, sizeof b, "%s", argv[0]);
  int v[4] = {argc, 2, 3, 4}; return sum(v, 4) + pick(argc) + (int)mix(&p, 0x5A5A) + (int)strlen(b); }
)";

bool is_data(const elf::Binary& binary, std::uint64_t address) {
  char kind = 'a';
  for (const auto& m : binary.mappings)
    if (m.address <= address) kind = m.kind;
  return kind == 'd';
}

// Whether an instruction may be followed by another than the next, by what it is lifted to. A conditional instruction of ARM goes on either way.
bool ends_block(const std::vector<PcodeOp>& ops, std::uint64_t next) {
  return std::any_of(ops.begin(), ops.end(), [&](const PcodeOp& op) {
    switch (op.op) {
      case Op::BRANCH: return op.space[1] != Space::constant;
      case Op::CBRANCH: return op.space[1] != Space::constant && op.at[1] != next;
      case Op::BRANCHIND: case Op::CALL: case Op::CALLIND: case Op::RETURN: return true;
      default: return false;
    }
  });
}

// What Capstone 4 puts into none of its groups and shows by operands or name: ARM's writes to the program counter, bal, PowerPC's branches.
bool leads_on(const Target& t, const cs_insn* one) {
  if (t.arch == CS_ARCH_ARM) {
    const auto& arm = one->detail->arm;
    return std::any_of(arm.operands, arm.operands + arm.op_count, [](const cs_arm_op& o) { return o.type == ARM_OP_REG && o.reg == ARM_REG_PC && (o.access & CS_AC_WRITE) != 0; });
  }
  if (t.arch == CS_ARCH_MIPS) return one->id == MIPS_INS_BAL;
  return t.arch == CS_ARCH_PPC && one->mnemonic[0] == 'b';
}

class AgreesWithCapstone : public testing::TestWithParam<Target> {};

TEST_P(AgreesWithCapstone, on_where_every_instruction_of_our_functions_ends) {
  const Target& t = GetParam();
  if (std::system(("command -v " + std::string(t.compiler) + " >/dev/null 2>&1").c_str()) != 0)
    GTEST_SKIP() << "needs the cross compiler " << t.compiler;
  const auto folder = std::filesystem::temp_directory_path() / ("biopsy-sleigh-" + std::to_string(getpid()));
  std::size_t instructions = 0, ends_seen = 0;
  for (const char* level : {"-O0", "-O2", "-Os"}) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "in.c") << source;
    ASSERT_EQ(std::system((std::string(t.compiler) + " " + t.options + " " + level + " -o " + (folder / "out").string() +
                           " " + (folder / "in.c").string()).c_str()), 0);
    const auto bytes = base::read_file((folder / "out").string());
    ASSERT_TRUE(bytes);
    std::filesystem::remove_all(folder);
    const auto binary = elf::read(*bytes);
    ASSERT_TRUE(binary);
    const auto machine = machine_for(*binary);
    ASSERT_TRUE(machine);
    auto translator = Translator::open(*machine, *binary);
    ASSERT_TRUE(translator) << translator.error().message;
    csh handle;
    ASSERT_EQ(cs_open(t.arch, static_cast<cs_mode>(t.mode), &handle), CS_ERR_OK);
    ASSERT_EQ(cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON), CS_ERR_OK);
    for (const auto& symbol : binary->symbols) {
      if (symbol.kind != elf::Symbol::Kind::function || !symbol.defined) continue;
      if (symbol.name != "sum" && symbol.name != "pick" && symbol.name != "mix" && symbol.name != "main") continue;
      EXPECT_EQ(symbol.thumb, t.thumb);
      for (std::uint64_t at = symbol.address; at < symbol.address + symbol.size;) {
        const auto code = binary->from(at);
        cs_insn* one = nullptr;
        const std::size_t got = cs_disasm(handle, code.data(), std::min<std::size_t>(code.size(), 16), at, 1, &one);
        std::vector<PcodeOp> ops;
        const auto length = (*translator)->lift(at, symbol.thumb, ops);
        if (got == 0) break;
        if (is_data(*binary, at)) {  // a literal pool, as the linker's mapping symbols say
          cs_free(one, got);
          break;
        }
        EXPECT_EQ((*translator)->last_length(), one->size) << t.name << level << " " << symbol.name << " at " << at << ": "
                                                           << one->mnemonic << " " << one->op_str;
        const bool ends = cs_insn_group(handle, one, CS_GRP_JUMP) || cs_insn_group(handle, one, CS_GRP_CALL) || cs_insn_group(handle, one, CS_GRP_RET) || leads_on(t, one);
        EXPECT_EQ(ends_block(ops, at + length), ends) << t.name << level << " " << symbol.name << " at " << at << ": " << one->mnemonic << " " << one->op_str;
        ends_seen += ends ? 1 : 0;
        at += one->size;
        cs_free(one, got);
        ++instructions;
      }
    }
    cs_close(&handle);
  }
  EXPECT_GT(instructions, 200u);
  EXPECT_GT(ends_seen, 30u);
}

INSTANTIATE_TEST_SUITE_P(Machines, AgreesWithCapstone, testing::ValuesIn(targets),
                         [](const auto& target) { return std::string(target.param.name); });

TEST(Translator, an_add_is_an_add) {
  const base::Bytes code = {0x02, 0x00, 0x81, 0xE0};  // add r0, r1, r2
  elf::Binary binary;
  binary.machine = elf::Machine::arm, binary.file = code;
  binary.segments.push_back({0x8000, 4, 0, 4, true, false, true});
  auto translator = Translator::open(*machine_for(binary), binary);
  ASSERT_TRUE(translator) << translator.error().message;
  std::vector<PcodeOp> ops;
  ASSERT_EQ((*translator)->lift(0x8000, false, ops), 4u);
  const auto add = std::find_if(ops.begin(), ops.end(), [](const PcodeOp& op) { return op.op == Op::INT_ADD; });
  ASSERT_NE(add, ops.end());
  EXPECT_EQ(add->part(1), (*translator)->reg("r1"));
  EXPECT_EQ(add->part(2), (*translator)->reg("r2"));
  EXPECT_EQ((*translator)->lift(0x9000, false, ops), 0u) << "outside the image";
}

}  // namespace
}  // namespace sleigh
