// The bridge to SLEIGH: its exceptions, address spaces and contexts stay in this file.
#include "sleigh/sleigh.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <sstream>
#include <unordered_map>

#include "loadimage.hh"
#include "sleigh.hh"

namespace sleigh {
namespace {

// Bytes of the binary's segments; what lies beyond a segment's end reads as zero, as SLEIGH asks for more than it uses.
class Image : public ghidra::LoadImage {
 public:
  Image() : LoadImage("binary") {}
  void look_at(const elf::Binary* binary) {
    binary_ = binary;
    bytes_ = {};
    start_ = 0;
  }
  void loadFill(ghidra::uint1* out, ghidra::int4 size, const ghidra::Address& address) override {
    const std::uint64_t at = address.getOffset();
    if (at < start_ || at - start_ >= bytes_.size()) {
      bytes_ = binary_ ? binary_->from(at) : base::ByteView{};
      start_ = at;
      if (bytes_.empty()) throw ghidra::DataUnavailError("outside the image");
    }
    for (ghidra::int4 i = 0; i < size; ++i) {
      const std::uint64_t index = at - start_ + static_cast<std::uint64_t>(i);
      out[i] = index < bytes_.size() ? bytes_[index] : 0;
    }
  }
  std::string getArchType() const override { return "binary"; }
  void adjustVma(long) override {}

 private:
  const elf::Binary* binary_ = nullptr;
  base::ByteView bytes_;
  std::uint64_t start_ = 0;
};

// Decoding context. The caller says ARM or Thumb for every instruction, so what instructions say about the mode of other
// addresses is dropped; what they say about the next few (IT blocks, lwl/lwr pairs) is kept by address.
class Context : public ghidra::ContextInternal {
 public:
  using Words = std::array<ghidra::uintm, 4>;
  void registerVariable(const std::string& name, ghidra::int4 from, ghidra::int4 to) override {
    if (sealed_) return;
    ContextInternal::registerVariable(name, from, to);
    if (name == "TMode") mode_ = ghidra::ContextBitRange(from, to), has_mode_ = true;
  }
  void seal() {
    sealed_ = true;
    base_ = {};
    const auto* words = std::as_const(*this).ContextInternal::getContext(ghidra::Address());
    for (int i = 0; i < getContextSize() && i < 4; ++i) base_[static_cast<std::size_t>(i)] = words[i];
  }
  void set_thumb(bool thumb) { thumb_ = thumb; }
  void forget() {
    pending_.clear();
    thumb_ = false;
  }
  const ghidra::uintm* getContext(const ghidra::Address& address) const override {
    const auto it = pending_.find(address.getOffset());
    current_ = it == pending_.end() ? base_ : it->second;
    if (has_mode_) mode_.setValue(current_.data(), thumb_ ? 1 : 0);
    return current_.data();
  }
  const ghidra::uintm* getContext(const ghidra::Address& address, ghidra::uintb& first, ghidra::uintb& last) const override {
    first = 1, last = 0;  // never cached: the mode may differ next time
    return getContext(address);
  }

 private:
  void getRegionToChangePoint(std::vector<ghidra::uintm*>& out, const ghidra::Address& address, ghidra::int4 word,
                              ghidra::uintm mask) override {
    if (has_mode_ && word == mode_.getWord() && (mask & (mode_.getMask() << mode_.getShift())) != 0) return;
    if (word < 0 || word >= 4) return;
    if (pending_.size() > 65536) pending_.clear();
    const auto [it, fresh] = pending_.emplace(address.getOffset(), base_);
    out.push_back(it->second.data());
  }
  void getRegionForSet(std::vector<ghidra::uintm*>& out, const ghidra::Address& from, const ghidra::Address&,
                       ghidra::int4 word, ghidra::uintm mask) override {
    getRegionToChangePoint(out, from, word, mask);
  }

  bool sealed_ = false, thumb_ = false, has_mode_ = false;
  ghidra::ContextBitRange mode_{0, 0};
  Words base_{};
  mutable Words current_{};
  std::unordered_map<std::uint64_t, Words> pending_;
};

class Collect : public ghidra::PcodeEmit {
 public:
  Collect(std::vector<PcodeOp>& out, const ghidra::AddrSpace* ram, const ghidra::AddrSpace* reg)
      : out_(out), ram_(ram), reg_(reg) {}
  void dump(const ghidra::Address&, ghidra::OpCode code, ghidra::VarnodeData* result, ghidra::VarnodeData* in,
            ghidra::int4 count) override {
    PcodeOp op;
    op.op = static_cast<Op>(code);
    if (result) put(op, 0, *result);
    const int first = code == ghidra::CPUI_LOAD || code == ghidra::CPUI_STORE ? 1 : 0;
    for (int i = first; i < count && i - first < 2; ++i) put(op, i - first + 1, in[i]);
    op.inputs = static_cast<std::uint8_t>(std::min(count - first, 2));
    out_.push_back(op);
  }

 private:
  void put(PcodeOp& op, int i, const ghidra::VarnodeData& v) const {
    op.size[i] = static_cast<std::uint8_t>(std::min<ghidra::uint4>(v.size, 255));
    op.at[i] = v.offset;
    if (v.space == reg_) op.space[i] = Space::reg;
    else if (v.space == ram_) op.space[i] = Space::ram;
    else if (v.space->getType() == ghidra::IPTR_CONSTANT) op.space[i] = Space::constant;
    else if (v.space->getType() == ghidra::IPTR_INTERNAL) op.space[i] = Space::unique;
    else op.space[i] = Space::reg;
  }
  std::vector<PcodeOp>& out_;
  const ghidra::AddrSpace *ram_, *reg_;
};

class AssemblyText : public ghidra::AssemblyEmit {
 public:
  std::string text;
  void dump(const ghidra::Address&, const std::string& mnemonic, const std::string& body) override {
    text = mnemonic + (body.empty() ? "" : " ") + body;
  }
};

std::once_flag initialise_once;

}  // namespace

std::string_view name(Op op) {
  switch (op) {
#define PCODE(text, number) \
  case Op::text: return #text;
#include "sleigh/ops.def"
#undef PCODE
  }
  return "?";
}

struct Translator::Parts {
  Parts() : translator(&image, &context) {}
  Image image;
  Context context;
  ghidra::DocumentStorage storage;
  ghidra::Sleigh translator;
  ghidra::AddrSpace *ram = nullptr, *reg = nullptr;
  std::vector<std::string> user_ops;
  bool thumb = false;
  std::uint32_t last_length = 0;
  std::string table;
};

// Translators that are ready and not in use, by table. A worker process cannot open files: its parent prepares what it will
// need, and the fork carries it over. A translator comes back here when its user is done.
struct Shelf {
  std::mutex lock;
  std::unordered_map<std::string, std::unique_ptr<Translator::Parts>> ready;
};
Shelf& shelf() {
  static Shelf* const one = new Shelf;  // never destroyed: its contents refer to SLEIGH's own globals
  return *one;
}

Translator::Translator(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Translator::~Translator() {
  parts_->translator.fastReset();
  parts_->context.forget();
  parts_->image.look_at(nullptr);
  parts_->thumb = false;
  parts_->last_length = 0;
  const std::lock_guard guard(shelf().lock);
  shelf().ready.try_emplace(parts_->table, std::move(parts_));
}

std::string tables_directory() {
  namespace fs = std::filesystem;
  if (const char* given = std::getenv("BIOPSY_SLEIGH")) return given;
  std::error_code failed;
  fs::path at = fs::read_symlink("/proc/self/exe", failed).parent_path();
  for (int i = 0; i < 6 && !failed; ++i, at = at.parent_path()) {
    const auto candidate = at / "share/biopsy/sleigh";
    if (fs::is_directory(candidate, failed)) return candidate.string();
    failed.clear();
    if (at == at.root_path()) break;
  }
  return "share/biopsy/sleigh";
}

namespace {

base::Result<std::unique_ptr<Translator::Parts>> build(const Machine& machine) {
  const std::string path = tables_directory() + "/" + std::string(machine.table) + ".sla";
  std::error_code failed;
  if (!std::filesystem::exists(path, failed))
    return base::fail(base::Error::Kind::unreadable, "The processor table " + path + " is missing.");
  try {
    std::call_once(initialise_once, [] {
      ghidra::AttributeId::initialize();
      ghidra::ElementId::initialize();
    });
    auto parts = std::make_unique<Translator::Parts>();
    parts->table = std::string(machine.table);
    std::istringstream tag("<sleigh>" + path + "</sleigh>");
    parts->storage.registerTag(parts->storage.parseDocument(tag)->getRoot());
    parts->translator.initialize(parts->storage);
    // What Ghidra's .pspec files set; they are XML about a program's defaults and are not shipped here.
    if (machine.table == "x86") {
      parts->context.setVariableDefault("addrsize", 1), parts->context.setVariableDefault("opsize", 1);
    } else if (machine.table == "x86-64") {
      parts->context.setVariableDefault("addrsize", 2), parts->context.setVariableDefault("opsize", 1);
      parts->context.setVariableDefault("longMode", 1);
    } else if (machine.table.starts_with("mips32")) {
      parts->context.setVariableDefault("RELP", 1);
    }
    parts->context.seal();
    parts->ram = parts->translator.getDefaultCodeSpace();
    parts->reg = parts->translator.getSpaceByName("register");
    parts->translator.getUserOpNames(parts->user_ops);
    return parts;
  } catch (const ghidra::LowlevelError& error) {
    return base::fail(base::Error::Kind::internal, "The processor table could not be read: " + error.explain);
  } catch (const ghidra::DecoderError& error) {
    return base::fail(base::Error::Kind::internal, "The processor table could not be read: " + error.explain);
  } catch (const std::exception& error) {
    return base::fail(base::Error::Kind::internal, std::string("The processor table could not be read: ") + error.what());
  }
}

}  // namespace

base::Result<std::unique_ptr<Translator>> Translator::open(const Machine& machine, const elf::Binary& binary) {
  std::unique_ptr<Parts> parts;
  {
    const std::lock_guard guard(shelf().lock);
    if (auto node = shelf().ready.extract(std::string(machine.table))) parts = std::move(node.mapped());
  }
  if (!parts) {
    auto built = build(machine);
    if (!built) return std::unexpected(built.error());
    parts = std::move(*built);
  }
  parts->image.look_at(&binary);
  return std::unique_ptr<Translator>(new Translator(std::move(parts)));
}

base::Result<void> prepare(const Machine& machine) {
  {
    const std::lock_guard guard(shelf().lock);
    if (shelf().ready.contains(std::string(machine.table))) return {};
  }
  auto built = build(machine);
  if (!built) return std::unexpected(built.error());
  const std::lock_guard guard(shelf().lock);
  shelf().ready.try_emplace(std::string(machine.table), std::move(*built));
  return {};
}

std::uint32_t Translator::lift(std::uint64_t address, bool thumb, std::vector<PcodeOp>& out) {
  const std::size_t before = out.size();
  if (thumb != parts_->thumb) parts_->translator.fastReset(), parts_->thumb = thumb;
  parts_->context.set_thumb(thumb);
  Collect collect(out, parts_->ram, parts_->reg);
  try {
    const ghidra::Address at(parts_->ram, address);
    const auto length = parts_->translator.oneInstruction(collect, at);
    parts_->last_length = static_cast<std::uint32_t>(parts_->translator.instructionLength(at));
    return static_cast<std::uint32_t>(length);
  } catch (const ghidra::LowlevelError&) {
  } catch (const std::exception&) {
  }
  out.resize(before);
  parts_->last_length = 0;
  return 0;
}

std::uint32_t Translator::last_length() const { return parts_->last_length; }

Varnode Translator::reg(std::string_view wanted) const {
  try {
    const auto& v = parts_->translator.getRegister(std::string(wanted));
    return {Space::reg, static_cast<std::uint8_t>(v.size), v.offset};
  } catch (const ghidra::LowlevelError&) {
    return {};
  }
}

std::string Translator::register_name(const Varnode& v) const {
  if (v.space != Space::reg) return {};
  return parts_->translator.getRegisterName(parts_->reg, v.offset, v.size);
}

std::vector<Varnode> Translator::registers() const {
  std::map<ghidra::VarnodeData, std::string> all;
  parts_->translator.getAllRegisters(all);
  std::vector<Varnode> out;
  for (const auto& [v, unused] : all)
    if (v.space == parts_->reg && v.size < 256) out.push_back({Space::reg, static_cast<std::uint8_t>(v.size), v.offset});
  return out;
}

bool Translator::big_endian() const { return parts_->reg->isBigEndian(); }

std::string_view Translator::user_op(std::uint64_t number) const {
  return number < parts_->user_ops.size() ? std::string_view(parts_->user_ops[number]) : std::string_view{};
}

std::string Translator::disassemble(std::uint64_t address, bool thumb) {
  parts_->translator.fastReset();
  parts_->thumb = thumb;
  parts_->context.set_thumb(thumb);
  AssemblyText text;
  try {
    parts_->translator.printAssembly(text, ghidra::Address(parts_->ram, address));
  } catch (const ghidra::LowlevelError&) {
    return "(bad)";
  } catch (const std::exception&) {
    return "(bad)";
  }
  return text.text;
}

}  // namespace sleigh
