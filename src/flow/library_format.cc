// A printf format and what is known of its arguments in, the texts that it can make out.
#include <algorithm>

#include <fmt/format.h>

#include "flow/engine.h"
#include "flow/library.h"

namespace flow {

// printf's conversions (C11 7.21.6.1) over what is known of format and arguments.
std::vector<Text> Engine::format(State& s, const std::vector<Text>& formats, const std::function<Value()>& next, std::vector<Value>* used) {
  std::vector<Value> taken;
  std::vector<Text> out;
  for (const auto& f : formats) {
    std::vector<Text> sums = {{"", f.whole, f.taint}};
    std::size_t argument_index = 0;
    const auto take = [&]() -> Value {
      if (argument_index == taken.size()) {
        taken.push_back(next());
        if (used) used->push_back(taken.back());
      }
      return taken[argument_index++];
    };
    const auto add = [&](const std::vector<Text>& more) {
      std::vector<Text> product;
      for (const auto& a : sums)
        for (const auto& b : more) {
          if (product.size() >= 8) break;
          product.push_back({a.text + b.text, a.whole && b.whole, tables_.taint_union(a.taint, b.taint)});
        }
      sums = std::move(product);
    };
    const std::string& t = f.text;
    for (std::size_t i = 0; i < t.size(); ++i) {
      if (t[i] != '%') {
        for (auto& a : sums) a.text += t[i];
        continue;
      }
      ++i;
      std::string flags;
      int width = -1, precision = -1, longs = 0;
      while (i < t.size() && std::string_view("-+ #0'").find(t[i]) != std::string_view::npos) flags += t[i++];
      if (i < t.size() && t[i] == '*') {
        const Value v = take();
        width = v.is_const() ? static_cast<int>(std::min<std::uint64_t>(v.off & 0x7FFFFFFF, 512)) : -1, ++i;
      } else {
        while (i < t.size() && t[i] >= '0' && t[i] <= '9') width = std::min(512, std::max(width, 0) * 10 + (t[i++] - '0'));
      }
      if (i < t.size() && t[i] == '.') {
        ++i, precision = 0;
        if (i < t.size() && t[i] == '*') {
          const Value v = take();
          precision = v.is_const() ? static_cast<int>(std::min<std::uint64_t>(v.off & 0x7FFFFFFF, 4096)) : -1, ++i;
        } else {
          while (i < t.size() && t[i] >= '0' && t[i] <= '9') precision = std::min(4096, precision * 10 + (t[i++] - '0'));
        }
      }
      while (i < t.size() && std::string_view("hlLqjzt").find(t[i]) != std::string_view::npos) longs += t[i] == 'l' || t[i] == 'q' || t[i] == 'j' || t[i] == 'L', longs += t[i] == 'q' || t[i] == 'j' || t[i] == 'L', ++i;
      if (i >= t.size()) break;
      const auto pad = [&](std::string text) {
        if (width > 0 && text.size() < static_cast<std::size_t>(width)) {
          const std::size_t n = static_cast<std::size_t>(width) - text.size();
          if (flags.find('-') != std::string::npos) text.append(n, ' ');
          else text.insert(0, n, flags.find('0') != std::string::npos ? '0' : ' ');
        }
        return text;
      };
      switch (t[i]) {
        case '%': add({{"%", true, 0}}); break;
        case 's': {
          const Value v = take();
          auto texts = texts_at(s, v);
          for (auto& x : texts) {
            if (precision >= 0 && x.whole && x.text.size() > static_cast<std::size_t>(precision)) x.text.resize(static_cast<std::size_t>(precision));
            if (x.whole) x.text = pad(x.text);
          }
          add(texts);
          break;
        }
        case 'd': case 'i': case 'u': case 'x': case 'X': case 'o': case 'c': case 'p': {
          if (longs >= 2 && word_ == 4) {
            const Value a = take(), b = take();
            const std::uint64_t n = big_ ? a.off << 32 | b.off : b.off << 32 | a.off;
            if (a.is_const() && b.is_const()) add({{pad(t[i] == 'x' ? fmt::format("{:x}", n) : fmt::format("{}", n)), true, 0}});
            else add({{"${" + origin_of(a.is_const() ? b : a) + "}", false, tables_.taint_union(a.taint, b.taint)}});
            break;
          }
          const Value v = take();
          std::vector<Text> texts;
          std::vector<Value> parts = v.kind == Value::Kind::choice ? tables_.parts(v.id) : std::vector<Value>{v};
          for (const auto& p : parts) {
            if (!p.is_const()) {
              texts.push_back({"${" + origin_of(p) + "}", false, v.taint});
              continue;
            }
            const std::uint64_t n = longs > 0 ? p.off & mask_of(word_) : p.off & 0xFFFFFFFF;
            const std::int64_t sn = longs > 0 ? signed_of(n, word_) : static_cast<std::int32_t>(n);
            std::string text;
            if (t[i] == 'd' || t[i] == 'i') text = fmt::format("{}", sn);
            else if (t[i] == 'u') text = fmt::format("{}", n);
            else if (t[i] == 'x') text = fmt::format("{:x}", n);
            else if (t[i] == 'X') text = fmt::format("{:X}", n);
            else if (t[i] == 'o') text = fmt::format("{:o}", n);
            else if (t[i] == 'c') text = n == 0 ? "" : std::string(1, static_cast<char>(n));
            else text = fmt::format("0x{:x}", n);
            if (precision > 0 && t[i] != 'c' && text.size() < static_cast<std::size_t>(precision)) text.insert(0, static_cast<std::size_t>(precision) - text.size(), '0');
            texts.push_back({pad(text), true, v.taint});
          }
          if (texts.size() > 8) texts = {{"${" + origin_of(v) + "}", false, v.taint}};
          add(texts);
          break;
        }
        case 'f': case 'F': case 'e': case 'g': case 'G': case 'a':
          if (word_ == 4 && elf_.machine != elf::Machine::ppc) take(), take();
          add({{"${number}", false, 0}});
          break;
        case 'n': take(); break;
        case 'm': add({{"${error}", false, 0}}); break;
        default: for (auto& a : sums) a.text += t[i];
      }
    }
    for (auto& x : sums) out.push_back(std::move(x));
  }
  if (out.size() > 8) out.resize(8);
  return out;
}

}  // namespace flow
