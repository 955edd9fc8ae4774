// The sub-commands that print something and end. Each returns an exit status.
#pragma once

#include <string>

namespace bedside {

int print_mud(const std::string& config_path, const std::string& updates_path);  // the update path's settings; may be empty
int print_sample_message(const std::string& config_path);

}  // namespace bedside
