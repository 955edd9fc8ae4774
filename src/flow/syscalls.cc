// Numbers from the kernel's tables (arch/*/entry/syscalls/*.tbl, include/uapi/asm-generic/unistd.h).
#include "flow/syscalls.h"

namespace flow {
namespace {

struct Row {
  const char* name;
  // 32-bit x86, ARM EABI, MIPS o32 less 4000, PowerPC, x86-64, the generic table (AArch64, RISC-V); -1: none
  int x86, arm, mips, ppc, x86_64, generic;
};

constexpr Row rows[] = {
    {"_exit", 1, 1, 1, 1, 60, 93},
    {"fork", 2, 2, 2, 2, 57, -1},
    {"read", 3, 3, 3, 3, 0, 63},
    {"write", 4, 4, 4, 4, 1, 64},
    {"open", 5, 5, 5, 5, 2, -1},
    {"close", 6, 6, 6, 6, 3, 57},
    {"creat", 8, 8, 8, 8, 85, -1},
    {"link", 9, 9, 9, 9, 86, -1},
    {"unlink", 10, 10, 10, 10, 87, -1},
    {"execve", 11, 11, 11, 11, 59, 221},
    {"chdir", 12, 12, 12, 12, 80, 49},
    {"time", 13, 13, 13, 13, 201, -1},
    {"mknod", 14, 14, 14, 14, 133, -1},
    {"chmod", 15, 15, 15, 15, 90, -1},
    {"mount", 21, 21, 21, 21, 165, 40},
    {"umount", 22, 22, 22, 22, -1, -1},
    {"ptrace", 26, 26, 26, 26, 101, 117},
    {"alarm", 27, 27, 27, 27, 37, -1},
    {"access", 33, 33, 33, 33, 21, -1},
    {"sync", 36, 36, 36, 36, 162, 81},
    {"kill", 37, 37, 37, 37, 62, 129},
    {"rename", 38, 38, 38, 38, 82, -1},
    {"mkdir", 39, 39, 39, 39, 83, -1},
    {"rmdir", 40, 40, 40, 40, 84, -1},
    {"dup", 41, 41, 41, 41, 32, 23},
    {"signal", 48, -1, 48, 48, -1, -1},
    {"umount2", 52, 52, 52, 52, 166, 39},
    {"ioctl", 54, 54, 54, 54, 16, 29},
    {"chroot", 61, 61, 61, 61, 161, 51},
    {"dup2", 63, 63, 63, 63, 33, -1},
    {"sigaction", 67, 67, 67, 67, -1, -1},
    {"sethostname", 74, 74, 74, 74, 170, 161},
    {"settimeofday", 79, 79, 79, 79, 164, 170},
    {"symlink", 83, 83, 83, 83, 88, -1},
    {"readlink", 85, 85, 85, 85, 89, -1},
    {"reboot", 88, 88, 88, 88, 169, 142},
    {"truncate", 92, 92, 92, 92, 76, 45},
    {"ftruncate", 93, 93, 93, 93, 77, 46},
    {"fchmod", 94, 94, 94, 94, 91, 52},
    {"socketcall", 102, 102, 102, 102, -1, -1},
    {"setitimer", 104, 104, 104, 104, 38, 103},
    {"stat", 106, 106, 106, 106, 4, -1},
    {"lstat", 107, 107, 107, 107, 6, -1},
    {"fsync", 118, 118, 118, 118, 74, 82},
    {"init_module", 128, 128, 128, 128, 175, 105},
    {"delete_module", 129, 129, 129, 129, 176, 106},
    {"prctl", 172, 172, 192, 171, 157, 167},
    {"sigaction", 174, 174, 194, 173, 13, 134},
    {"pread", 180, 180, 200, 179, 17, 67},
    {"pwrite", 181, 181, 201, 180, 18, 68},
    {"chown", 182, 182, 202, 181, 92, -1},
    {"sendfile", 187, 187, 207, 186, 40, 71},
    {"vfork", 190, 190, -1, 189, 58, -1},
    {"mmap", 192, 192, 210, 192, 9, 222},
    {"stat", 195, 195, 213, 195, -1, -1},
    {"lstat", 196, 196, 214, 196, -1, -1},
    {"pivot_root", 217, 218, 216, 203, 155, 41},
    {"exit_group", 252, 248, 246, 234, 231, 94},
    {"statfs", 99, 99, 99, 99, 137, 43},
    {"inotify_add_watch", 292, 317, 285, 276, 254, 27},
    {"openat", 295, 322, 288, 286, 257, 56},
    {"mkdirat", 296, 323, 289, 287, 258, 34},
    {"unlinkat", 301, 328, 294, 292, 263, 35},
    {"renameat", 302, 329, 295, 293, 264, 38},
    {"fchmodat", 306, 333, 299, 297, 268, 53},
    {"faccessat", 307, 334, 300, 298, 269, 48},
    {"dup3", 330, 358, 327, 316, 292, 24},
    {"finit_module", 350, 379, 348, 353, 313, 273},
    {"renameat", 353, 382, 351, 357, 316, 276},
    {"execveat", 358, 387, 356, 362, 322, 281},
    {"socket", 359, 281, 183, 326, 41, 198},
    {"bind", 361, 282, 169, 327, 49, 200},
    {"connect", 362, 283, 170, 328, 42, 203},
    {"listen", 363, 284, 174, 329, 50, 201},
    {"accept", -1, 285, 168, 330, 43, 202},
    {"send", -1, 289, 178, 334, -1, -1},
    {"sendto", 369, 290, 180, 335, 44, 206},
    {"recv", -1, 291, 175, 336, -1, -1},
    {"recvfrom", 371, 292, 176, 337, 45, 207},
    {"shutdown", 373, 293, 182, 338, 48, 210},
    {"setsockopt", 366, 294, 181, 339, 54, 208},
    {"sendmsg", 370, 296, 179, 341, 46, 211},
    {"recvmsg", 372, 297, 177, 342, 47, 212},
    {"accept4", 364, 366, 334, 344, 288, 242},
};

}  // namespace

std::string syscall_name(elf::Machine machine, std::uint32_t number) {
  for (const auto& r : rows) {
    int n = -1;
    switch (machine) {
      case elf::Machine::x86: n = r.x86; break;
      case elf::Machine::arm: n = r.arm; break;
      case elf::Machine::mips: n = r.mips < 0 ? -1 : r.mips + 4000; break;
      case elf::Machine::ppc: n = r.ppc; break;
      case elf::Machine::x86_64: n = r.x86_64; break;
      case elf::Machine::aarch64:
      case elf::Machine::riscv: n = r.generic; break;
      case elf::Machine::ppc64:
      case elf::Machine::other: return {};
    }
    if (n >= 0 && static_cast<std::uint32_t>(n) == number) return r.name;
  }
  return {};
}

}  // namespace flow
