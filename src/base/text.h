// Small text work that the standard library leaves out. ASCII only; bytes above 0x7F pass through.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace base {

std::vector<std::string_view> split(std::string_view text, char separator);  // keeps empty parts
std::vector<std::string_view> split_words(std::string_view text);            // at runs of space and tab
std::string_view trim(std::string_view text);                                // space, tab, CR, LF
std::string lower(std::string_view text);
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// `words` with every `secret` written as "(masked)"; an empty secret changes nothing.
std::string masked(std::string words, std::string_view secret);

// A lexically normal absolute path: `.`, `..`, doubled and trailing slashes resolved; `..` never climbs above `/`.
// A relative `path` is taken from `directory`.
std::string normal_path(std::string_view path, std::string_view directory = "/");

// True when `path` is `directory` or lies beneath it. Both normal.
bool is_beneath(std::string_view path, std::string_view directory);

}  // namespace base
