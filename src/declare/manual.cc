// The text of a manual into pages and sentences.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "declare/declare.h"

namespace declare {
namespace {

constexpr std::size_t kMostPages = 2000, kMostSentences = 4000, kLongestSentence = 2000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "page 21", "21", "- 21 -", "Seite 21", "21 / 80": the number; empty for any other line.
std::string label_of(std::string_view line) {
  std::string word, number;
  bool over = false;  // behind "/" stands how many there are
  for (const char c : line) {
    const bool space = c == ' ' || c == '\t' || c == '-';
    if (over) {
      if (!is_digit(c) && !space) return {};
    } else if (is_digit(c)) {
      if (number.ends_with(' ')) return {};
      number += c;
    } else if (c == '/' && !number.empty()) {
      over = true;
    } else if (space) {
      if (!number.empty() && !number.ends_with(' ')) number += ' ';
    } else if (number.empty()) {
      word += c;
    } else {
      return {};
    }
  }
  number = std::string(base::trim(number));
  word = base::lower(word);
  const bool named = word.empty() || word == "page" || word == "p." || word == "seite" || word == "s." || word == "pagina" || word == "página" || word == "стр.";
  return named && !number.empty() && number.size() <= 4 ? number : std::string();
}

// Ends at . ! ? before a space and a capital or a digit's paragraph, at full-width marks, and at an empty line.
std::vector<std::string> sentences_of(std::string_view page, std::string_view label_line) {
  std::vector<std::string> out;
  std::string sentence;
  const auto end = [&] {
    const std::string text(base::trim(sentence));
    if (!text.empty() && out.size() < kMostSentences) out.push_back(text.substr(0, kLongestSentence));
    sentence.clear();
  };
  for (const auto line : base::split(page, '\n')) {
    const auto said = base::trim(line);
    if (said.empty()) {
      end();
      continue;
    }
    if (!label_line.empty() && said == label_line) continue;
    // A word parted at the end of a line is one word.
    if (sentence.ends_with('-') && sentence.size() > 1 && said[0] >= 'a' && said[0] <= 'z') sentence.pop_back();
    else if (!sentence.empty()) sentence += ' ';
    for (std::size_t i = 0; i < said.size(); ++i) {
      const char c = said[i];
      const bool space = c == ' ' || c == '\t';
      if (space && sentence.ends_with(' ')) continue;
      sentence += space ? ' ' : c;
      if (sentence.size() > kLongestSentence) end();
      const bool mark = c == '.' || c == '!' || c == '?';
      const bool last = i + 1 == said.size();
      const bool followed = last || said[i + 1] == ' ';
      const bool numbering = c == '.' && i > 0 && is_digit(said[i - 1]) && sentence.size() < 6;
      if (mark && followed && !numbering) end();
      if (sentence.ends_with("\xE3\x80\x82")) end();  // the ideographic full stop
    }
  }
  end();
  return out;
}

}  // namespace

std::vector<std::string> split_pages(std::string_view text) {
  std::vector<std::string> out;
  for (const auto page : base::split(text, '\f')) {
    if (out.size() > kMostPages) break;
    out.emplace_back(page);
  }
  if (out.size() > 1 && base::trim(out.back()).empty()) out.pop_back();
  return out;
}

Declaration from_manual(const std::vector<std::string>& pages, std::string name) {
  Declaration out;
  out.name = std::move(name);
  out.kind = Kind::manual;
  for (const auto& text : pages) {
    if (out.pages.size() >= kMostPages) {
      base::add_doubt(out.doubts, {"declare-too-much", out.name, 0, fmt::format("pages beyond {} were not kept", kMostPages)});
      break;
    }
    Page page;
    std::string_view first, last;
    for (const auto line : base::split(text, '\n'))
      if (const auto said = base::trim(line); !said.empty()) {
        if (first.empty()) first = said;
        last = said;
      }
    std::string_view label_line = last;
    page.label = label_of(last);
    if (page.label.empty()) page.label = label_of(first), label_line = first;
    if (page.label.empty()) page.label = std::to_string(out.pages.size() + 1), label_line = {};
    page.sentences = sentences_of(text, label_line);
    out.pages.push_back(std::move(page));
  }
  return out;
}

}  // namespace declare
