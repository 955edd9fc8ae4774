// .debug_info in, for each function the names of its parameters and variables out, and of the members of the structures that these
// are or point to (DWARF 2 to 5). A frame of bytes says nothing; what it was made of bears names here.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "elf/dwarf_read.h"

namespace elf {

namespace {

constexpr std::size_t kMostEntries = 2'000'000, kMostNames = 256;
constexpr std::uint64_t kSubprogram = 0x2E, kParameter = 0x05, kVariable = 0x34, kMember = 0x0D, kStructure = 0x13, kUnion = 0x17, kClass = 0x02;

struct Abbreviation {
  std::uint64_t tag = 0;
  bool has_children = false;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> attributes;  // attribute, form
};

struct Entry {
  std::uint64_t tag = 0, type = 0, origin = 0, low_pc = 0;  // type and origin: offsets in .debug_info, 0 for none
  std::string_view name;
  std::int32_t parent = -1;
};

class Unit {
 public:
  Unit(const Binary& b, const DwarfSections& s, const UnitHeader& header) : order_(b.order), s_(s), header_(header) {}

  // False when an attribute could not be read; what came before it stays.
  bool read(std::size_t& budget) {
    read_abbreviations();
    base::ByteReader r(base::clipped(s_.info, 0, header_.next), order_);
    r.seek(header_.entries);
    std::vector<std::int32_t> open;
    while (r.ok() && r.offset() < header_.next && budget > 0) {
      const std::uint64_t place = r.offset(), code = uleb(r);
      if (code == 0) {
        if (open.empty()) break;
        open.pop_back();
        if (open.empty()) break;
        continue;
      }
      const auto abbreviation = abbreviations_.find(code);
      if (abbreviation == abbreviations_.end()) return false;
      Entry entry;
      entry.tag = abbreviation->second.tag;
      entry.parent = open.empty() ? -1 : open.back();
      for (const auto& [attribute, form] : abbreviation->second.attributes) {
        const auto value = dwarf_attribute(r, form, header_, s_);
        if (!value) return false;
        if (attribute == 0x03) entry.name = value->text;
        else if (attribute == 0x49 && value->number != 0) entry.type = header_.begin + value->number;
        else if ((attribute == 0x31 || attribute == 0x47) && value->number != 0) entry.origin = header_.begin + value->number;
        else if (attribute == 0x11) entry.low_pc = value->number;
      }
      const auto index = static_cast<std::int32_t>(entries_.size());
      by_place_.emplace(place, index);
      entries_.push_back(entry);
      --budget;
      if (abbreviation->second.has_children) open.push_back(index);
    }
    return true;
  }

  void collect(std::map<std::uint64_t, std::set<std::string>>& out) {
    for (const Entry& entry : entries_) {
      if (entry.tag != kParameter && entry.tag != kVariable) continue;
      auto owner = entry.parent;
      while (owner >= 0 && entries_[static_cast<std::size_t>(owner)].tag != kSubprogram) owner = entries_[static_cast<std::size_t>(owner)].parent;
      if (owner < 0 || entries_[static_cast<std::size_t>(owner)].low_pc == 0) continue;
      const Entry* told = &entry;  // a body that was made out of line names its parameters elsewhere
      for (int i = 0; i < 4 && told->name.empty() && told->origin != 0; ++i)
        if (const Entry* other = at(told->origin)) told = other;
        else break;
      auto& names = out[entries_[static_cast<std::size_t>(owner)].low_pc];
      if (!told->name.empty()) names.emplace(told->name);
      const auto& members = members_of(told->type, 2);
      names.insert(members.begin(), members.end());
    }
  }

 private:
  const Entry* at(std::uint64_t place) const {
    const auto found = by_place_.find(place);
    return found == by_place_.end() ? nullptr : &entries_[static_cast<std::size_t>(found->second)];
  }

  // The name of the record that a type is or points to, and of its members, `depth` levels of them.
  const std::set<std::string>& members_of(std::uint64_t type, int depth) {
    auto [known, fresh] = members_.try_emplace({type, depth});
    auto& names = known->second;
    if (!fresh) return names;
    const Entry* entry = at(type);
    const auto is_record = [&] { return entry->tag == kStructure || entry->tag == kUnion || entry->tag == kClass; };
    for (int i = 0; i < 16 && entry && !is_record(); ++i) entry = entry->type ? at(entry->type) : nullptr;  // pointers, qualifiers, arrays, typedefs
    if (!entry || !is_record()) return names;
    if (!entry->name.empty()) names.emplace(entry->name);
    const auto self = static_cast<std::int32_t>(entry - entries_.data());
    for (auto i = static_cast<std::size_t>(self) + 1; i < entries_.size() && entries_[i].parent >= self && names.size() < kMostNames && steps_ > 0; ++i, --steps_) {
      if (entries_[i].parent != self || entries_[i].tag != kMember) continue;
      if (!entries_[i].name.empty()) names.emplace(entries_[i].name);
      if (depth <= 1 || !entries_[i].type) continue;
      const auto& inner = members_of(entries_[i].type, depth - 1);
      names.insert(inner.begin(), inner.end());
    }
    return names;
  }

  void read_abbreviations() {
    base::ByteReader r(base::clipped(s_.abbrev, header_.abbrev), order_);
    while (r.ok() && !r.at_end() && abbreviations_.size() < 65536) {
      const std::uint64_t code = uleb(r);
      if (code == 0) return;
      Abbreviation one;
      one.tag = uleb(r);
      one.has_children = r.u8() != 0;
      while (r.ok()) {
        const std::uint64_t attribute = uleb(r), form = uleb(r);
        if (form == 0x21) uleb(r);
        if (attribute == 0 && form == 0) break;
        one.attributes.emplace_back(attribute, form);
      }
      abbreviations_.emplace(code, std::move(one));
    }
  }

  base::ByteOrder order_;
  const DwarfSections& s_;
  UnitHeader header_;
  std::unordered_map<std::uint64_t, Abbreviation> abbreviations_;
  std::unordered_map<std::uint64_t, std::int32_t> by_place_;
  std::vector<Entry> entries_;
  std::map<std::pair<std::uint64_t, int>, std::set<std::string>> members_;
  std::size_t steps_ = kMostEntries;
};

}  // namespace

std::map<std::uint64_t, std::vector<std::string>> names_in_functions(const Binary& b) {
  const DwarfSections s = dwarf_sections(b);
  std::map<std::uint64_t, std::set<std::string>> found;
  std::size_t budget = kMostEntries;
  for (std::uint64_t at = 0; at < s.info.size() && budget > 0;) {
    const auto header = unit_header(s, b.order, at);
    if (!header) break;
    Unit unit(b, s, *header);
    unit.read(budget);
    unit.collect(found);
    at = header->next;
  }
  std::map<std::uint64_t, std::vector<std::string>> out;
  for (auto& [address, names] : found) out.emplace(address & (b.machine == Machine::arm ? ~1ull : ~0ull), std::vector<std::string>(names.begin(), names.end()));
  return out;
}

}  // namespace elf
