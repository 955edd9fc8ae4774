// Stands in for flow/ where it is not built: no code is read, and every program says so.
#include "flow/flow.h"

namespace flow {

base::Result<Program> analyse(const elf::Binary&, base::ByteView, const Budget&) {
  return base::fail(base::Error::Kind::unsupported, "code was not read: this build has no code analysis");
}
std::string dump_functions(const Program&) { return {}; }
std::string dump_calls_jsonl(const Program&, std::string_view) { return {}; }
base::Result<std::string> dump_pcode(const elf::Binary&, const Program&, std::string_view) { return std::string(); }

}  // namespace flow
