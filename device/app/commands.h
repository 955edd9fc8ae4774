// The sub-commands that print something and end. Each returns an exit status.
#pragma once

#include <string>

namespace bedside {

int print_mud(const std::string& config_path);
int print_sample_message(const std::string& config_path);

}  // namespace bedside
