#include "derive/data_classes.h"

#include <iconv.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "derive/embedded.h"

namespace derive {
namespace {

struct DataClass {
  std::string name, says;
  std::vector<std::vector<std::string>> names;  // each a run of words
  std::vector<std::string> prompts, messages;   // prompts in lower case; those beyond ASCII in GBK as well
};

// UTF-8 to GBK; empty where GBK lacks a character.
std::string as_gbk(std::string text) {
  const iconv_t converter = iconv_open("GBK", "UTF-8");
  if (converter == reinterpret_cast<iconv_t>(-1)) return {};
  std::string out(text.size() * 2, '\0');
  char* from = text.data();
  char* to = out.data();
  std::size_t left = text.size(), room = out.size();
  const bool done = iconv(converter, &from, &left, &to, &room) != static_cast<std::size_t>(-1);
  iconv_close(converter);
  return done ? out.substr(0, out.size() - room) : std::string();
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

const std::vector<DataClass>& classes() {
  static const std::vector<DataClass> list = [] {
    std::vector<DataClass> out;
    for (const auto& node : YAML::Load(std::string(embedded::data_classes_yaml))["classes"]) {
      DataClass one;
      one.name = node["class"].as<std::string>();
      one.says = node["says"].as<std::string>();
      for (const auto& name : node["names"]) {
        std::vector<std::string> words;
        const auto text = name.as<std::string>();
        for (const auto word : base::split_words(text)) words.emplace_back(word);
        one.names.push_back(std::move(words));
      }
      for (const auto& prompt : node["prompts"]) {
        const auto text = prompt.as<std::string>();
        one.prompts.push_back(base::lower(text));
        if (is_ascii(text)) continue;
        if (auto gbk = as_gbk(text); gbk.size() >= 4) one.prompts.push_back(base::lower(gbk));
      }
      for (const auto& message : node["messages"]) one.messages.push_back(message.as<std::string>());
      out.push_back(std::move(one));
    }
    return out;
  }();
  return list;
}

// "PatientName", "patient_name", "PATIENT-NAME" -> patient, name. Digits part from letters only after a lower-case word.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> out;
  std::string word;
  const auto end = [&] {
    if (!word.empty()) out.push_back(base::lower(word));
    word.clear();
  };
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!upper(c) && !lower(c) && !digit(c)) {
      end();
      continue;
    }
    const bool starts = upper(c) && i > 0 && (lower(name[i - 1]) || (upper(name[i - 1]) && i + 1 < name.size() && lower(name[i + 1])));
    if (starts) end();
    word += c;
  }
  end();
  return out;
}

}  // namespace

std::vector<std::string> data_classes_of_name(std::string_view name) {
  const auto words = words_of(name.substr(0, 128));
  std::set<std::string> out;
  for (const auto& one : classes())
    for (const auto& wanted : one.names)
      if (!std::ranges::search(words, wanted).empty()) out.insert(one.name);
  return {out.begin(), out.end()};
}

std::vector<std::string> data_classes_of_text(std::string_view text) {
  const std::string_view head = text.substr(0, 4096);
  const std::string low = base::lower(head);
  std::set<std::string> out;
  for (const auto& one : classes()) {
    const bool shown = std::ranges::any_of(one.prompts, [&](const auto& prompt) { return low.find(prompt) != std::string::npos; });
    const bool sent = std::ranges::any_of(one.messages, [&](const auto& mark) { return head.find(mark) != std::string_view::npos; });
    if (shown || sent) out.insert(one.name);
  }
  return {out.begin(), out.end()};
}

std::string_view data_class_words(std::string_view data_class) {
  const auto found = std::ranges::find(classes(), data_class, &DataClass::name);
  return found == classes().end() ? data_class : std::string_view(found->says);
}

bool is_patient_data(std::string_view data_class) { return data_class == "identity" || data_class == "vital-signs" || data_class == "waveform"; }

}  // namespace derive
