// models/*.yaml in, models out: what a command or a library call does to the world, as data.
// Adding `lftp` or `nvram_get` is one entry there and one case in models_test.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "derive/expression.h"

namespace derive {

// One effect that a command or call has when its conditions hold.
struct EffectModel {
  std::optional<effects::Kind> kind;  // unset: only `shell` or `program`
  std::vector<Condition> when;
  std::optional<Expression> each;     // repeat for every value; `it` in the other expressions
  std::optional<Expression> peer, port, protocol, object, target;
  std::optional<Expression> shell;    // the value is a command line for a shell
  std::optional<Expression> program;  // the value is a program or script that is run
  std::vector<std::pair<std::string, Expression>> notes;
  std::vector<std::string> data;
  bool peer_from_endpoint = false;    // the sockaddr that was read at the call
};

struct CommandModel {
  std::string name;
  std::vector<std::string> takes;     // options that take a value
  bool old_style = false;
  std::vector<EffectModel> effects;
};

struct Models {
  std::map<std::string, CommandModel, std::less<>> commands;  // by applet name
  std::map<std::string, CommandModel, std::less<>> calls;     // by function name
  std::set<std::string, std::less<>> known_commands;          // commands without effects of their own (echo, sleep, ...)
};

// Errors: damaged, with the entry that is wrong. `commands` and `calls` are the texts of the YAML files.
base::Result<Models> load_models(std::string_view commands, std::string_view calls);

// The models that are built into the program.
const Models& built_in_models();

}  // namespace derive
