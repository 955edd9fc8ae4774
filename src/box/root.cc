// The composed tree of an image and an emulator for its machines onto a file system in memory that becomes the box's root.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/text.h"
#include "box/parts.h"
#include "unpack/unpack.h"

namespace box {
namespace {

using base::Error;

constexpr const char* kTop = "/tmp";  // any directory that every host has; what lies in it is only covered
constexpr const char* kMarker = "run/closed-box";

// A header's words that name a machine, or nothing.
const Abi* abi_of(base::ByteView bytes) {
  if (bytes.size() < 20 || base::as_text(bytes.first(4)) != "\x7f" "ELF") return nullptr;
  const auto order = bytes[5] == 2 ? base::ByteOrder::big : base::ByteOrder::little;
  const auto machine = base::load<std::uint16_t>(bytes, 18, order);
  for (const Abi& abi : abis())
    if (abi.bits == bytes[4] && abi.order == bytes[5] && abi.machine == machine) return &abi;
  return nullptr;
}

std::string escaped(base::ByteView bytes) {
  std::string out;
  for (const auto byte : bytes) out += fmt::format("\\x{:02x}", byte);
  return out;
}

bool write_whole(const std::string& path, std::string_view contents, mode_t mode) {
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  while (file.ok() && !contents.empty()) {
    const ssize_t n = write(file.get(), contents.data(), contents.size());
    if (n <= 0) return false;
    contents.remove_prefix(static_cast<std::size_t>(n));
  }
  return file.ok();
}

// The copy's padding in e_ident tells the emulator from what it emulates: without it, a program of the host's own machine
// would have the emulator run by the emulator.
base::Result<void> register_emulator(const Abi& abi, std::string_view secret, base::Doubts& doubts) {
  std::string host;
  for (const char* folder : {"/usr/bin/", "/usr/local/bin/", "/bin/"})
    if (host.empty() && access(fmt::format("{}{}", folder, abi.emulator).c_str(), R_OK) == 0) host = fmt::format("{}{}", folder, abi.emulator);
  if (host.empty()) {
    base::add_doubt(doubts, {"emulator-missing", abi.emulator, 0, fmt::format("{} is not installed; programs for {} cannot start.", abi.emulator, abi.name), 1});
    return {};
  }
  auto bytes = base::read_file(host);
  if (!bytes || bytes->size() < 64) return base::fail(Error::Kind::unreadable, host + ": could not be read");
  for (std::size_t i = 9; i < 16 && i - 9 < secret.size(); ++i) (*bytes)[i] = static_cast<std::uint8_t>(secret[i - 9]);
  const std::string copy = fmt::format("{}/emulators/{}", kTop, abi.emulator);
  if (!write_whole(copy, base::as_text(*bytes), 0755)) return system_error("writing the emulator into the box");
  // Header bytes: class, order, no ABI version and no padding, type EXEC or DYN, machine.
  base::Bytes magic = {0x7f, 'E', 'L', 'F', abi.bits, abi.order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  base::Bytes mask(20, 0xff);
  mask[7] = 0x00;
  mask[8] = 0x00;
  const bool big = abi.order == 2;
  magic[big ? 17 : 16] = 0x02;
  mask[big ? 17 : 16] = 0xfe;
  magic[big ? 19 : 18] = static_cast<std::uint8_t>(abi.machine & 0xff);
  magic[big ? 18 : 19] = static_cast<std::uint8_t>(abi.machine >> 8);
  const std::string line = fmt::format(":{}:M:0:{}:{}:{}:PF", abi.name, escaped(magic), escaped(mask), copy);
  const Fd door(open(fmt::format("{}/formats/register", kTop).c_str(), O_WRONLY | O_CLOEXEC));
  if (!door.ok() || write(door.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return system_error(fmt::format("registering the emulator for {}", abi.name));
  return {};
}

base::Result<void> register_emulators(const unpack::Firmware& firmware, std::string_view secret, base::Doubts& doubts) {
  std::set<const Abi*> wanted;
  for (const auto& node : firmware.root.nodes())
    if (node.type == unpack::NodeType::regular)
      if (const Abi* abi = abi_of(firmware.bytes(node))) wanted.insert(abi);
  mkdir(fmt::format("{}/emulators", kTop).c_str(), 0755);
  const std::string formats = fmt::format("{}/formats", kTop);
  mkdir(formats.c_str(), 0755);
  if (mount("binfmt_misc", formats.c_str(), "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return base::fail(Error::Kind::unsupported, "the kernel has no binfmt_misc of its own for a user namespace (Linux 6.7 has), so foreign programs cannot be started in a box");
  std::set<std::string> done;
  for (const Abi* abi : wanted)
    if (done.insert(abi->name).second)
      if (auto registered = register_emulator(*abi, secret, doubts); !registered) return registered;
  return {};
}

// What a device has and an image does not: plain files and empty places. Nothing here reaches a device.
void stub_devices(int root, const unpack::Tree& image) {
  for (const char* place : {"dev", "dev/pts", "dev/shm", "proc", "sys", "tmp", "run", "var", "mnt", "sys/class", "sys/class/net", "sys/class/net/eth0"}) {
    const Fd there = open_inside(root, place, O_PATH | O_DIRECTORY);
    if (there.ok()) continue;
    // A dangling link, as /var -> /tmp/var in many images, gets what it points to.
    std::string path(place);
    if (const auto* node = image.find("/" + path); node && node->type == unpack::NodeType::symlink) path = base::normal_path(node->link_target).substr(1);
    std::string made;
    for (const auto part : base::split(path, '/')) {
      made += (made.empty() ? "" : "/") + std::string(part);
      mkdirat(root, made.c_str(), 0755);
    }
  }
  // Device nodes of the image that could not be made: empty files under their names.
  for (const auto& node : image.nodes())
    if (node.type == unpack::NodeType::char_device || node.type == unpack::NodeType::block_device) write_inside(root, node.path, "", 0666);
  for (const char* name : {"dev/nvram", "dev/watchdog", "dev/kmsg", "dev/mtd0", "dev/mtdblock0"})
    if (!image.find("/" + std::string(name))) write_inside(root, name, "", 0666);
  write_inside(root, "sys/class/net/eth0/address", "02:00:00:00:00:02\n");
  write_inside(root, "sys/class/net/eth0/operstate", "up\n");
  write_inside(root, "sys/class/net/eth0/carrier", "1\n");
}

// A /proc of plain files, with links to the real entries of the payload's processes: nothing of the host's kernel shows, and
// what a boot script writes there stays a word in a file.
void stub_proc(int root) {
  for (const char* place : {"proc", ".proc", "proc/sys", "proc/sys/kernel", "proc/sys/vm", "proc/sys/net", "proc/sys/net/ipv4", "proc/sys/net/core", "proc/sys/fs",
                            "proc/bus", "proc/bus/usb", "proc/sys/net/ipv4/conf", "proc/sys/net/ipv4/conf/all", "proc/sys/net/ipv4/conf/eth0"})
    mkdirat(root, place, 0755);
  for (const char* name : {"self", "thread-self"}) symlinkat(fmt::format("../.proc/{}", name).c_str(), root, fmt::format("proc/{}", name).c_str());
  for (const auto& [name, to] : {std::pair{"net", "self/net"}, {"mounts", "self/mounts"}}) symlinkat(to, root, fmt::format("proc/{}", name).c_str());
  for (int pid = 1; pid < 1000; ++pid) symlinkat(fmt::format("../.proc/{}", pid).c_str(), root, fmt::format("proc/{}", pid).c_str());
  for (const auto& [name, text] : {std::pair{"cmdline", "console=ttyS0,115200\n"}, {"version", "Linux version 2.6.32 (closed box)\n"}, {"uptime", "10.00 9.00\n"},
                                   {"loadavg", "0.00 0.00 0.00 1/30 100\n"}, {"modules", ""}, {"mtd", "dev:    size   erasesize  name\n"},
                                   {"filesystems", "nodev\tproc\nnodev\ttmpfs\nnodev\tsysfs\nnodev\tnfs\n\tsquashfs\n\tjffs2\n\tvfat\n\text4\n"}, {"devices", "Character devices:\n\nBlock devices:\n"},
                                   {"meminfo", "MemTotal:         131072 kB\nMemFree:           98304 kB\nBuffers:               0 kB\nCached:             8192 kB\n"},
                                   {"cpuinfo", "processor\t: 0\nHardware\t: closed box\n"}, {"partitions", "major minor  #blocks  name\n\n"},
                                   {"stat", "cpu  10 0 10 1000 0 0 0 0 0 0\ncpu0 10 0 10 1000 0 0 0 0 0 0\n"}, {"sys/kernel/hotplug", ""}, {"sys/kernel/hostname", "device\n"}, {"sys/kernel/printk", "7 4 1 7\n"},
                                   {"sys/kernel/panic", "0\n"}, {"sys/kernel/core_pattern", "core\n"}, {"sys/net/ipv4/ip_forward", "0\n"}, {"sys/vm/overcommit_memory", "0\n"},
                                   {"sys/vm/drop_caches", "0\n"}, {"sys/vm/min_free_kbytes", "1024\n"}})
    write_inside(root, fmt::format("proc/{}", name), text);
}

// The few real devices that hold nothing and lead nowhere.
void bind_devices(const std::string& root) {
  for (const char* name : {"null", "zero", "full", "random", "urandom"}) {
    const std::string place = fmt::format("{}/dev/{}", root, name), host = fmt::format("/dev/{}", name);
    struct stat there {};
    if (lstat(place.c_str(), &there) != 0) write_whole(place, "", 0666);
    else if (!S_ISREG(there.st_mode)) continue;
    (void)mount(host.c_str(), place.c_str(), nullptr, MS_BIND, nullptr);
  }
}

// A terminal of the box's own instance; raw, so that keys arrive as they are typed.
bool make_console(Root& out, const std::string& root) {
  const std::string place = root + "/dev/pts";
  if (mount("devpts", place.c_str(), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,max=64") != 0) return false;
  out.terminal = Fd(open((place + "/ptmx").c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  int number = 0, lock = 0;
  if (!out.terminal.ok() || ioctl(out.terminal.get(), TIOCSPTLCK, &lock) != 0 || ioctl(out.terminal.get(), TIOCGPTN, &number) != 0) return false;
  out.console = fmt::format("/dev/pts/{}", number);
  unlinkat(out.top.get(), "dev/ptmx", 0);
  symlinkat("pts/ptmx", out.top.get(), "dev/ptmx");
  for (const char* name : {"dev/console", "dev/tty", "dev/ttyS0", "dev/ttyS1", "dev/ttyS2", "dev/ttyS3", "dev/ttyAMA0", "dev/ttymxc0", "dev/tty1"}) {
    unlinkat(out.top.get(), name, 0);
    symlinkat(fmt::format("pts/{}", number).c_str(), out.top.get(), name);
  }
  return true;
}

}  // namespace

const std::vector<Abi>& abis() {
  static const std::vector<Abi> kAll = {
      {"arm", "qemu-arm-static", 1, 1, 40},      {"arm64", "qemu-aarch64-static", 2, 1, 183}, {"mips", "qemu-mips-static", 1, 2, 8},
      {"mipsel", "qemu-mipsel-static", 1, 1, 8}, {"i386", "qemu-i386-static", 1, 1, 3},       {"amd64", "qemu-x86_64-static", 2, 1, 62},
      {"powerpc", "qemu-ppc-static", 1, 2, 20},
  };
  return kAll;
}

std::unexpected<Error> system_error(std::string_view what) {
  return base::fail(Error::Kind::unsupported, fmt::format("no closed box can be made here: {}: {}", what, std::strerror(errno)));
}

Fd open_inside(int root, std::string_view path, int flags, unsigned mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | ((flags & O_PATH) ? 0 : O_NOCTTY | O_NONBLOCK));
  how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return Fd(static_cast<int>(syscall(SYS_openat2, root, std::string(path).c_str(), &how, sizeof how)));
}

bool write_inside(int root, const std::string& path, std::string_view contents, unsigned mode) {
  const Fd file = open_inside(root, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  struct stat made {};
  if (!file.ok() || fstat(file.get(), &made) != 0 || !S_ISREG(made.st_mode)) return false;
  return write(file.get(), contents.data(), contents.size()) == static_cast<ssize_t>(contents.size());
}

base::Result<Root> build_root(const unpack::Firmware& firmware, const Plan& plan) {
  Root out;
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return system_error("making mounts private");
  const std::string size = fmt::format("size={},nr_inodes={},mode=0755", plan.limits.disk_bytes, plan.limits.files);
  if (mount("tmpfs", kTop, "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0) return system_error("mounting a file system in memory");
  if (auto done = register_emulators(firmware, plan.secret, out.doubts); !done) return std::unexpected(done.error());

  const std::string image = fmt::format("{}/image", kTop), root = image + "/root";
  unpack::WriteOptions writing;
  writing.owners = false;
  if (auto written = unpack::write_out(firmware, image, writing); !written) return std::unexpected(written.error());
  out.top = Fd(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!out.top.ok()) return system_error("opening the box's root");
  stub_devices(out.top.get(), firmware.root);
  stub_proc(out.top.get());
  write_inside(out.top.get(), kMarker, "");
  bind_devices(root);
  if (!make_console(out, root)) return system_error("making a terminal for the box");

  const std::string processes = fmt::format("{}/processes", kTop);
  mkdir(processes.c_str(), 0755);
  if (mount("proc", processes.c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return system_error("mounting the box's own /proc");
  out.processes = Fd(open(processes.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));

  // Beyond this point nothing of the host is seen.
  const std::string old = fmt::format("{}/old", kTop);
  mkdir(old.c_str(), 0700);
  if (chdir(kTop) != 0 || syscall(SYS_pivot_root, ".", "old") != 0 || chdir("/") != 0) return system_error("pivot_root");
  if (umount2("/old", MNT_DETACH) != 0 || rmdir("/old") != 0) return system_error("leaving the host's file system");
  return out;
}

bool enter_root() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (mount("/image/root", "/image/root", nullptr, MS_BIND | MS_REC, nullptr) != 0 || chdir("/image/root") != 0) return false;
  (void)mount(nullptr, ".", nullptr, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, nullptr);
  // While the supervisor's /proc is still seen: the kernel lets nobody mount one who sees none (mount_namespaces(7)).
  if (mount("proc", ".proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid") != 0) return false;
  return syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

}  // namespace box
