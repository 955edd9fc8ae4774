// How fast a capture is read, beside a bare libpcap loop over the same file in the same run.
//   witness_bench FOLDER-OF-CAPTURES WORK-FILE [MEGABYTES] [--peers|--flows|--full]
// The work file is made once: copies of the captures with rewritten addresses and the same packet sizes. The
// peers are tshark and Suricata, where they are installed.
#include <pcap/pcap.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "witness/verdict.h"

namespace {

using base::Bytes;

struct Packet {
  pcap_pkthdr header;
  Bytes bytes;
};

std::vector<Packet> packets_of(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".pcap") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Packet> out;
  for (const auto& file : files) {
    char why[PCAP_ERRBUF_SIZE] = {};
    pcap_t* handle = pcap_open_offline(file.c_str(), why);
    if (!handle) continue;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    while (pcap_datalink(handle) == DLT_EN10MB && pcap_next_ex(handle, &header, &data) == 1)
      out.push_back({*header, Bytes(data, data + header->caplen)});
    pcap_close(handle);
  }
  return out;
}

// Another pair of hosts for each copy: the two middle octets of IPv4 addresses, four octets of IPv6 ones.
void rewrite(Bytes& frame, std::uint32_t copy) {
  const auto type = base::load_be16(frame, 12);
  const auto add = [&](std::size_t at) {
    if (at + 2 > frame.size()) return;
    const std::uint32_t value = (frame[at] * 256u + frame[at + 1] + copy * 257u) & 0xFFFF;
    frame[at] = static_cast<std::uint8_t>(value >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(value);
  };
  if (type == 0x0800) add(27), add(31);
  if (type == 0x86DD) add(26), add(42);
}

bool make_file(const std::string& folder, const std::string& path, std::uint64_t size) {
  const std::vector<Packet> packets = packets_of(folder);
  if (packets.empty()) return false;
  pcap_t* dead = pcap_open_dead(DLT_EN10MB, 262144);
  pcap_dumper_t* dumper = pcap_dump_open(dead, path.c_str());
  if (!dumper) return false;
  std::uint64_t written = 0;
  for (std::uint32_t copy = 0; written < size; ++copy)
    for (const Packet& packet : packets) {
      Bytes bytes = packet.bytes;
      rewrite(bytes, copy);
      pcap_dump(reinterpret_cast<u_char*>(dumper), &packet.header, bytes.data());
      written += bytes.size() + 16;
    }
  pcap_dump_close(dumper);
  pcap_close(dead);
  return true;
}

// Wall and processor time. The second is the fair one where other work shares the machine.
struct Cost {
  double wall = 0, cpu = 0;
};
Cost cost(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t cpu = std::clock();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC};
}

std::uint64_t bare_loop(const std::string& path) {
  char why[PCAP_ERRBUF_SIZE] = {};
  pcap_t* handle = pcap_open_offline(path.c_str(), why);
  std::uint64_t sum = 0;
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  while (handle && pcap_next_ex(handle, &header, &data) == 1) sum += header->caplen + data[0];
  if (handle) pcap_close(handle);
  return sum;
}

Cost median(const std::vector<Cost>& all) {
  std::vector<double> wall, cpu;
  for (const Cost& one : all) wall.push_back(one.wall), cpu.push_back(one.cpu);
  std::sort(wall.begin(), wall.end());
  std::sort(cpu.begin(), cpu.end());
  return {wall[wall.size() / 2], cpu[cpu.size() / 2]};
}

// One signature for each thing that we look for and that a byte pattern can say at all.
constexpr std::string_view kRules = R"(
alert tcp any any -> any any (msg:"hl7"; flow:established; content:"MSH|5e 7c|"; sid:1;)
alert tcp any any -> any 515 (msg:"port 515"; flow:to_server; sid:2;)
alert tcp any any -> any any (msg:"program"; flow:established; content:"|7f|ELF"; sid:3;)
alert udp any any -> any 111 (msg:"port mapper"; content:"|00 01 86 a0|"; sid:4;)
alert tcp any any -> any 111 (msg:"port mapper"; content:"|00 01 86 a0|"; sid:5;)
alert udp any any -> any 69 (msg:"tftp read"; content:"|00 01|"; depth:2; sid:6;)
alert ftp any any -> any any (msg:"ftp password"; content:"PASS "; depth:5; sid:7;)
alert mqtt any any -> any any (msg:"mqtt password"; mqtt.connect.password; content:!"|00|"; sid:8;)
)";

bool have(const std::string& program) {
  return std::system(("command -v " + program + " > /dev/null 2>&1").c_str()) == 0;
}

// One outside program over the same file, once: its wall time, and that of all its threads.
void peer(const char* name, const std::string& program, const std::string& command, double size) {
  if (!have(program)) return fmt::print("{:<18} not installed\n", name);
  rusage before{}, after{};
  getrusage(RUSAGE_CHILDREN, &before);
  bool ran = false;
  const Cost spent = cost([&] { ran = std::system((command + " > /dev/null 2>&1").c_str()) == 0; });
  getrusage(RUSAGE_CHILDREN, &after);
  if (!ran) return fmt::print("{:<18} failed\n", name);
  const auto seconds = [](const rusage& all) {
    return static_cast<double>(all.ru_utime.tv_sec + all.ru_stime.tv_sec) +
           static_cast<double>(all.ru_utime.tv_usec + all.ru_stime.tv_usec) / 1e6;
  };
  fmt::print("{:<18}{:8.0f} MB/s {:8.0f} MB/s of processor time\n", name, size / spent.wall,
             size / (seconds(after) - seconds(before)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: witness_bench FOLDER-OF-CAPTURES WORK-FILE [MEGABYTES] [--peers]\n");
    return 2;
  }
  const std::string folder = argv[1], path = argv[2];
  const bool peers = std::string_view(argv[argc - 1]) == "--peers";
  const std::uint64_t megabytes = argc > 3 && argv[3][0] != '-' ? std::strtoull(argv[3], nullptr, 10) : 520;
  if (!std::filesystem::exists(path) && !make_file(folder, path, megabytes * 1'000'000)) {
    fmt::print(stderr, "no captures in {}\n", folder);
    return 3;
  }
  const double size = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  bare_loop(path);  // warm the page cache
  if (const std::string_view last = argv[argc - 1];
      last == "--flows" || last == "--full") {  // for a profiler
    witness::Options options;
    options.dissect = last == "--full";
    for (int round = 0; round < 3; ++round)
      if (!witness::read(path, options)) return 1;
    return 0;
  }
  std::vector<Cost> bare, flows, full;
  std::uint64_t packets = 0, found = 0, observations = 0, objects = 0;
  for (int round = 0; round < 5; ++round) {  // interleaved, so that a busy machine slows all three alike
    bare.push_back(cost([&] { bare_loop(path); }));
    flows.push_back(cost([&] {
      witness::Options options;
      options.dissect = false;
      const auto capture = witness::read(path, options);
      packets = capture ? capture->stats.packets : 0;
      found = capture ? capture->stats.flows : 0;
    }));
    full.push_back(cost([&] {
      const auto capture = witness::read(path);
      observations = capture ? capture->observations.size() : 0;
      objects = capture ? capture->objects.size() : 0;
    }));
  }
  fmt::print("{:.0f} MB, {} packets, {} connections, {} observations, {} objects; medians of 5\n", size,
             packets, found, observations, objects);
  const Cost b = median(bare);
  const auto line = [&](const char* name, const Cost& one) {
    fmt::print("{:<18}{:8.0f} MB/s {:8.0f} MB/s of processor time {:6.2f} times the loop's\n", name,
               size / one.wall, size / one.cpu, one.cpu / b.cpu);
  };
  line("bare libpcap loop", b);
  line("flows and peers", median(flows));
  line("full dissection", median(full));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("most memory         {:8.0f} MB\n", static_cast<double>(usage.ru_maxrss) / 1e3);
  if (!peers) return 0;
  peer("tshark, text", "tshark", "tshark -r '" + path + "'", size);
  const std::filesystem::path logs = path + ".suricata";
  std::filesystem::create_directories(logs);
  std::ofstream(logs / "bench.rules") << kRules;
  peer("Suricata, 8 rules", "suricata",
       "suricata -r '" + path + "' -k none -l '" + logs.string() + "' -S '" +
           (logs / "bench.rules").string() + "'",
       size);
  std::filesystem::remove_all(logs);
  return 0;
}
