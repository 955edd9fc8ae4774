// The frame that every page shares: the policy, the style sheet, the script.
#pragma once

#include <string>

namespace report {

// A whole page. `title` and `body` are escaped already.
std::string html_page(const std::string& title, const std::string& body);

}  // namespace report
