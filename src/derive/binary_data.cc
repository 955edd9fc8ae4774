#include "derive/binary_data.h"

#include <algorithm>
#include <map>
#include <set>

#include "derive/data_classes.h"

namespace derive {

DataReader::DataReader(const flow::Program& program, const elf::Binary& binary) : program_(program), binary_(binary) {}

const std::map<std::uint64_t, std::vector<std::string>>& DataReader::fields() const {
  if (!fields_) fields_ = elf::names_in_functions(binary_);
  return *fields_;
}

Carried DataReader::carried_by(const flow::CallSite& call, std::size_t argument) const {
  std::set<std::string> classes;
  for (std::size_t i = argument; i < call.args.size(); ++i)
    for (const auto& value : call.args[i].values)
      for (auto& found : data_classes_of_text(value)) classes.insert(std::move(found));
  if (classes.contains("identity") || (!classes.empty() && call.callee != "send" && call.callee != "sendto" && call.callee != "write" && call.callee != "SSL_write")) return {{classes.begin(), classes.end()}, ""};

  // A frame in bytes says nothing; the functions that make it do. Those on the way to the call, three steps up, and the
  // ones that they call.
  std::map<std::string, const flow::Function*, std::less<>> by_name;
  std::map<std::uint64_t, const flow::Function*> by_address;
  for (const auto& function : program_.functions) {
    if (function.named) by_name.emplace(function.name, &function);
    by_address.emplace(function.address, &function);
  }
  std::set<std::string> told;
  const auto ask = [&](const flow::Function& function) {
    if (!function.named || !function.library.empty() || function.name == call.callee) return;
    for (auto& found : data_classes_of_name(function.name))
      if (is_patient_data(found) || found == "location") {
        classes.insert(std::move(found));
        told.insert(function.name);
      }
  };
  // Where no function bears a telling name, the fields of what those functions handle may, as far as debug information says.
  const auto ask_fields = [&](const flow::Function& function) {
    if (!function.library.empty()) return;
    const auto names = fields().find(function.address);
    if (names == fields().end()) return;
    for (const auto& name : names->second)
      for (auto& found : data_classes_of_name(name))
        if (is_patient_data(found)) {
          classes.insert(std::move(found));
          told.insert(name);
        }
  };
  const auto walk = [&](const auto& question, std::size_t most) {
    std::size_t steps = 0;
    for (auto step = call.reached_from.rbegin(); step != call.reached_from.rend() && steps < most; ++step, ++steps) {
      const auto function = by_name.find(*step);
      if (function == by_name.end() || *step == "main") break;
      question(*function->second);
      for (const auto callee : function->second->calls)
        if (const auto called = by_address.find(callee); called != by_address.end()) question(*called->second);
    }
  };
  walk(ask, 3);
  if (told.empty()) walk(ask_fields, 2);
  Carried out{{classes.begin(), classes.end()}, ""};
  for (const auto& name : told) out.by_names += (out.by_names.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace derive
