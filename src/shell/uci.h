// OpenWrt's configuration files (/etc/config/*) into sections and options.
// Syntax: https://openwrt.org/docs/guide-user/base-system/uci ("config TYPE ['NAME']", "option KEY 'VALUE'", "list KEY 'VALUE'").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shell {

struct UciOption {
  std::string key, value;
  bool is_list = false;
  std::uint32_t line = 0;
};
struct UciSection {
  std::string type, name;  // an unnamed section is called @type[N]
  std::vector<UciOption> options{};
  std::uint32_t line = 0;
};
struct UciPackage {
  std::vector<UciSection> sections;
  const UciSection* find(std::string_view name) const;  // by name, or @type[N], N counted from 0, -1 the last
};

UciPackage read_uci(std::string_view text);

// The value of option `key`, list values joined by spaces; nothing when absent.
std::optional<UciOption> option_of(const UciSection& section, std::string_view key);

}  // namespace shell
