#include "derive/programs.h"

#include "base/text.h"
#include "elf/elf.h"
#include "shell/shell.h"

namespace derive {
namespace {

bool is_text(base::ByteView bytes) {
  const auto head = base::clipped(bytes, 0, 512);
  for (const auto byte : head)
    if (byte == 0 || (byte < 0x09)) return false;
  return !head.empty();
}

// Start-up files are read by the shell whether or not they begin with #!.
bool is_start_up_path(std::string_view path) {
  for (const auto prefix : {"/etc/init.d/", "/etc/rc.d/", "/etc/rcS.d/", "/etc/rc.", "/etc/rcS", "/etc/hotplug.d/", "/etc/uci-defaults/"})
    if (path.starts_with(prefix)) return true;
  return path.ends_with(".sh") || path == "/etc/profile" || path.starts_with("/etc/profile.d/");
}

// The largest text that is taken for a script: above it, it is data.
constexpr std::size_t kLargestScript = 1 << 20;

}  // namespace

std::vector<ProgramFile> find_programs(const unpack::Firmware& firmware) {
  std::vector<ProgramFile> out;
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular) continue;
    const base::ByteView bytes = firmware.bytes(node);
    if (bytes.empty()) continue;
    if (elf::is_elf(bytes)) {
      const bool library = node.path.ends_with(".so") || node.path.find(".so.") != std::string::npos || node.path.ends_with(".ko") || node.path.ends_with(".o");
      out.push_back({node.path, library ? effects::Program::Kind::library : effects::Program::Kind::binary, bytes, {}});
    } else if (bytes.size() <= kLargestScript && (shell::looks_like_script(base::as_text(base::clipped(bytes, 0, 256))) || (is_text(bytes) && is_start_up_path(node.path)))) {
      // `#!/bin/sh` and then `<?`: the shell sees what another interpreter makes of it.
      const bool template_text = base::as_text(base::clipped(bytes, 0, 4096)).find("<?") != std::string_view::npos;
      out.push_back({node.path, effects::Program::Kind::script, bytes, template_text ? "a template; the script that it becomes is made at run time" : ""});
    }
  }
  return out;
}

}  // namespace derive
