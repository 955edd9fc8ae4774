// The machines we lift: their SLEIGH table and their calling convention, as data.
// Sources: AAPCS32, AAPCS64, MIPS o32 psABI, i386 and amd64 psABI, PowerPC 32 SVR4 psABI, RISC-V psABI; Linux syscall(2).
#include "sleigh/sleigh.h"

namespace sleigh {

std::optional<Machine> machine_for(const elf::Binary& b) {
  Machine m;
  m.order = b.order;
  m.word = b.bits / 8;
  switch (b.machine) {
    case elf::Machine::arm:
      m.table = b.order == base::ByteOrder::big && (b.flags & 0x00800000) == 0 ? "ARM7_be" : "ARM7_le";
      m.mode_switch = true;
      m.alignment = 2;
      m.arguments = {"r0", "r1", "r2", "r3"};
      m.result = "r0", m.stack = "sp", m.link = "lr";
      m.syscall_number = "r7";
      m.syscall_arguments = {"r0", "r1", "r2", "r3", "r4", "r5"};
      m.syscall_ops = {"software_interrupt"};
      m.preserved = {"r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "sp"};
      return m;
    case elf::Machine::aarch64:
      m.table = "AARCH64";
      m.arguments = {"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7"};
      m.result = "x0", m.stack = "sp", m.link = "x30";
      m.syscall_number = "x8";
      m.syscall_arguments = {"x0", "x1", "x2", "x3", "x4", "x5"};
      m.syscall_ops = {"CallSupervisor"};
      m.preserved = {"x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "sp"};
      return m;
    case elf::Machine::mips:
      if (b.bits != 32) return std::nullopt;
      m.table = b.order == base::ByteOrder::big ? "mips32be" : "mips32le";
      m.delay_slots = true;
      m.arguments = {"a0", "a1", "a2", "a3"};
      m.result = "v0", m.stack = "sp", m.link = "ra", m.global = "gp";
      m.stack_arguments = 16;
      m.syscall_number = "v0";
      m.syscall_arguments = {"a0", "a1", "a2", "a3"};
      m.syscall_ops = {"syscall"};
      m.preserved = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "gp", "sp"};
      return m;
    case elf::Machine::x86:
      m.table = "x86";
      m.alignment = 1;
      m.result = "EAX", m.stack = "ESP";
      m.stack_arguments = 4;
      m.syscall_number = "EAX";
      m.syscall_arguments = {"EBX", "ECX", "EDX", "ESI", "EDI", "EBP"};
      m.syscall_ops = {"swi"};
      m.preserved = {"EBX", "ESI", "EDI", "EBP", "ESP"};
      return m;
    case elf::Machine::x86_64:
      m.table = "x86-64";
      m.alignment = 1;
      m.arguments = {"RDI", "RSI", "RDX", "RCX", "R8", "R9"};
      m.result = "RAX", m.stack = "RSP";
      m.stack_arguments = 8;
      m.syscall_number = "RAX";
      m.syscall_arguments = {"RDI", "RSI", "RDX", "R10", "R8", "R9"};
      m.syscall_ops = {"syscall"};
      m.preserved = {"RBX", "RBP", "R12", "R13", "R14", "R15", "RSP"};
      return m;
    case elf::Machine::ppc:
      if (b.order != base::ByteOrder::big) return std::nullopt;
      m.table = "ppc_32_be";
      m.arguments = {"r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10"};
      m.result = "r3", m.stack = "r1", m.link = "LR";
      m.stack_arguments = 8;
      m.syscall_number = "r0";
      m.syscall_arguments = {"r3", "r4", "r5", "r6", "r7", "r8"};
      m.syscall_ops = {"syscall"};
      m.preserved = {"r1", "r2", "r13", "r14", "r15", "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23",
                     "r24", "r25", "r26", "r27", "r28", "r29", "r30", "r31"};
      return m;
    case elf::Machine::riscv:
      if (b.bits != 64) return std::nullopt;
      m.table = "riscv.lp64d";
      m.alignment = 2;
      m.arguments = {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"};
      m.result = "a0", m.stack = "sp", m.link = "ra";
      m.syscall_number = "a7";
      m.syscall_arguments = {"a0", "a1", "a2", "a3", "a4", "a5"};
      m.syscall_ops = {"ecall"};
      m.preserved = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "gp", "tp", "sp"};
      return m;
    case elf::Machine::ppc64:
    case elf::Machine::other: return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace sleigh
