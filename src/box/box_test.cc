// Why: the box is worth something only if nothing gets out of it, nothing outlives it, and the lab's specimens do in it what
// they refuse to do elsewhere. Every way out is tried from inside each machine; the specimens are driven and watched.
#include "box/box.h"

#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "base/text.h"
#include "box/sinks.h"
#include "unpack/unpack.h"

namespace {

using testing::HasSubstr;

const std::string& why_not() {
  static const std::string why = box::unavailable();
  return why;
}

#define NEEDS_A_BOX() \
  if (!why_not().empty()) GTEST_SKIP() << "needs namespaces: " << why_not()

struct Machine {
  const char* name;
  const char* compiler;
  const char* emulator;
  const char* flags;
};
constexpr Machine kMachines[] = {
    {"armel", "arm-linux-gnueabi-gcc", "qemu-arm-static", ""},       {"armhf", "arm-linux-gnueabihf-gcc", "qemu-arm-static", ""},
    {"arm64", "aarch64-linux-gnu-gcc", "qemu-aarch64-static", ""},   {"mips", "mips-linux-gnu-gcc", "qemu-mips-static", ""},
    {"mipsel", "mipsel-linux-gnu-gcc", "qemu-mipsel-static", ""},    {"i386", "i686-linux-gnu-gcc", "qemu-i386-static", ""},
    {"amd64", "x86_64-linux-gnu-gcc", "qemu-x86_64-static", ""},     {"powerpc", "powerpc-linux-gnu-gcc", "qemu-ppc-static", ""},
    {"native", "x86_64-linux-gnu-gcc", "qemu-x86_64-static", "-DWITHOUT_EMULATOR"},
};

bool have(const std::string& program) { return std::filesystem::exists("/usr/bin/" + program); }

// The program's bytes; empty when it could not be made. Made once for each machine and source.
base::Bytes compiled(const Machine& machine, const std::string& source) {
  const auto place = std::filesystem::temp_directory_path() / fmt::format("box-test-{}-{}", getpid(), machine.name);
  const std::string command = fmt::format("{} -static -O1 -w {} -o {} {}", machine.compiler, machine.flags, place.string(), source);
  const int status = std::system(command.c_str());
  auto bytes = base::read_file(place.string());
  std::filesystem::remove(place);
  if (status != 0 || !bytes) return {};
  if (*machine.flags != '\0') (*bytes)[12] = 1;  // padding that the emulator's entry does not match: started without it
  return *bytes;
}

class Image {
 public:
  void add(const std::string& path, std::string_view contents, unsigned mode = 0755) {
    const auto bytes = base::as_bytes(contents);
    firmware.buffers.emplace_back(bytes.begin(), bytes.end());
    unpack::Node node;
    node.path = path;
    node.mode = mode;
    node.size = contents.size();
    unpack::Blob blob;
    blob.bytes = firmware.buffers.back();
    node.blob = firmware.blobs.add(blob);
    nodes_.push_back(node);
    firmware.root = unpack::Tree(nodes_);
  }
  unpack::Firmware firmware;

 private:
  std::vector<unpack::Node> nodes_;
};

const box::Event* find(const box::Record& record, std::string_view call, std::string_view object_or_address) {
  for (const auto& event : record.events)
    if (event.call == call && (event.object == object_or_address || event.address == object_or_address)) return &event;
  return nullptr;
}

// ---- what is left of a run on the host

std::vector<std::string> processes() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    std::string words((std::istreambuf_iterator<char>(file)), {});
    if (words.find("/emulators/qemu") != std::string::npos) out.push_back(words);
    std::ifstream name(entry.path() / "comm");
    std::string comm;
    if (std::getline(name, comm) && comm == "box-supervisor") out.push_back(comm);
  }
  return out;
}
std::string mounts() {
  std::ifstream file("/proc/self/mounts");
  return {std::istreambuf_iterator<char>(file), {}};
}
// ---- the fence

class Fence : public testing::TestWithParam<Machine> {};

TEST_P(Fence, HoldsAgainstEachWayOut) {
  NEEDS_A_BOX();
  const Machine& machine = GetParam();
  if (!have(machine.compiler)) GTEST_SKIP() << "needs " << machine.compiler;
  if (!have(machine.emulator)) GTEST_SKIP() << "needs " << machine.emulator;
  const auto program = compiled(machine, BIOPSY_SOURCE_DIR "/src/box/fence/ways_out.c");
  ASSERT_FALSE(program.empty());

  // The host listens on a port of its loopback and of every address, and on an abstract socket; it must hear nothing.
  const int tcp = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  socklen_t size = sizeof name;
  ASSERT_EQ(bind(tcp, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(listen(tcp, 4), 0);
  getsockname(tcp, reinterpret_cast<sockaddr*>(&name), &size);
  const std::string abstract = fmt::format("box-fence-{}-{}", getpid(), machine.name);
  const int local = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un path{};
  path.sun_family = AF_UNIX;
  std::memcpy(path.sun_path + 1, abstract.data(), abstract.size());
  ASSERT_EQ(bind(local, reinterpret_cast<sockaddr*>(&path), static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + abstract.size())), 0);
  ASSERT_EQ(listen(local, 4), 0);

  Image image;
  image.add("/bin/ways", base::as_text(program));
  box::Plan plan;
  plan.program = "/bin/ways";
  plan.arguments = {std::to_string(ntohs(name.sin_port)), abstract, BIOPSY_SOURCE_DIR, std::to_string(getpid())};
  plan.limits.disk_bytes = 96 << 20;
  plan.limits.files = 8000;
  plan.limits.processes = 100;
  plan.limits.memory_bytes = 700 << 20;
  plan.limits.wall_seconds = 100;
  const std::string mounted = mounts();
  const auto record = box::run(image.firmware, plan);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->ended, "exited") << record->output;
  EXPECT_EQ(record->status, 0) << record->output;
  EXPECT_THAT(record->output, HasSubstr("done"));
  EXPECT_THAT(record->output, HasSubstr("ok vsock"));
  unsigned shut = 0;
  for (const auto line : base::split(record->output, '\n')) {
    if (line.starts_with("ok ")) ++shut;
    EXPECT_FALSE(line.starts_with("OUT")) << machine.name << ": " << line;
  }
  EXPECT_GE(shut, 140u);
  pollfd both[2] = {{tcp, POLLIN, 0}, {local, POLLIN, 0}};
  EXPECT_EQ(poll(both, 2, 0), 0) << "the host was reached";
  close(tcp);
  close(local);
  for (const char* left : {"/tmp/emulators", "/tmp/image", "/tmp/processes", "/tmp/formats"}) EXPECT_FALSE(std::filesystem::exists(left)) << left;
  EXPECT_EQ(mounts(), mounted);
  EXPECT_THAT(processes(), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Machines, Fence, testing::ValuesIn(kMachines), [](const auto& at) { return std::string(at.param.name); });

// ---- what nothing outlives

TEST(Box, KillsWhatDoesNotEnd) {
  NEEDS_A_BOX();
  if (!have(kMachines[6].compiler) || !have(kMachines[6].emulator)) GTEST_SKIP() << "needs " << kMachines[6].compiler << " and " << kMachines[6].emulator;
  const auto source = std::filesystem::temp_directory_path() / fmt::format("box-test-{}.c", getpid());
  std::ofstream(source) << "#include <signal.h>\n#include <unistd.h>\nint main(void){for(int i=1;i<64;++i)signal(i,SIG_IGN);if(fork()==0){setsid();fork();}for(;;);}\n";
  const auto program = compiled(kMachines[6], source.string());
  std::filesystem::remove(source);
  ASSERT_FALSE(program.empty());
  Image image;
  image.add("/bin/stubborn", base::as_text(program));
  box::Plan plan;
  plan.program = "/bin/stubborn";
  plan.limits.wall_seconds = 1;
  const auto began = std::chrono::steady_clock::now();
  const auto record = box::run(image.firmware, plan);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->ended, "wall-clock");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  EXPECT_THAT(processes(), testing::IsEmpty());
}

TEST(Box, EndsWithItsCaller) {
  NEEDS_A_BOX();
  if (!have(kMachines[6].compiler) || !have(kMachines[6].emulator)) GTEST_SKIP() << "needs " << kMachines[6].compiler << " and " << kMachines[6].emulator;
  const auto source = std::filesystem::temp_directory_path() / fmt::format("box-test-{}.c", getpid());
  std::ofstream(source) << "#include <unistd.h>\nint main(void){for(;;)pause();}\n";
  const auto program = compiled(kMachines[6], source.string());
  std::filesystem::remove(source);
  ASSERT_FALSE(program.empty());
  Image image;
  image.add("/bin/waits", base::as_text(program));
  box::Plan plan;
  plan.program = "/bin/waits";
  plan.limits.wall_seconds = 60;
  const pid_t caller = fork();
  if (caller == 0) {
    (void)box::run(image.firmware, plan);
    _exit(0);
  }
  for (int i = 0; i < 100 && processes().empty(); ++i) usleep(50'000);
  EXPECT_FALSE(processes().empty());
  kill(caller, SIGKILL);
  waitpid(caller, nullptr, 0);
  for (int i = 0; i < 100 && !processes().empty(); ++i) usleep(50'000);
  EXPECT_THAT(processes(), testing::IsEmpty());
}

TEST(Box, SaysWhatIsNotInTheImage) {
  NEEDS_A_BOX();
  Image image;
  image.add("/bin/true", "#!/bin/none\n");
  box::Plan plan;
  plan.program = "/bin/absent";
  const auto record = box::run(image.firmware, plan);
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().kind, base::Error::Kind::unreadable);
  EXPECT_THAT(record.error().message, HasSubstr("/bin/absent"));
}

// ---- the servers' answers to datagrams

TEST(Sinks, AnswerOnlyWhatIsWellFormed) {
  const std::string query("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03one\x04test\x00\x00\x01\x00\x01", 26);
  const std::string answer = box::dns_answer(query);
  ASSERT_EQ(answer.size(), query.size() + 16);
  EXPECT_EQ(answer.substr(0, 2), "\x12\x34");
  EXPECT_EQ(static_cast<unsigned char>(answer[answer.size() - 4]), 198);
  for (std::size_t cut = 0; cut < query.size(); ++cut) EXPECT_EQ(box::dns_answer(query.substr(0, cut)), "") << cut;
  EXPECT_EQ(box::dns_answer(std::string(40, '\x3f')), "");

  std::string call;
  for (const std::uint32_t word : {7u, 0u, 2u, 100000u, 2u, 3u, 0u, 0u, 0u, 0u, 100005u, 3u, 17u, 0u})
    for (const int shift : {24, 16, 8, 0}) call += static_cast<char>(word >> shift & 0xff);
  const std::string port = box::rpc_answer(call);
  ASSERT_EQ(port.size(), 28u);
  EXPECT_EQ(port.substr(26), std::string("\x02\x7b", 2));  // 635
  EXPECT_EQ(box::rpc_answer(call.substr(0, 20)), "");
  EXPECT_EQ(box::tftp_answer(std::string("\0\1file\0octet\0", 13), "words").substr(4), "words");
  EXPECT_EQ(box::tftp_answer("x", "words"), "");
}

// ---- the lab's specimens

std::string package(const char* name) { return fmt::format(BIOPSY_SOURCE_DIR "/build/lab/{}", name); }

std::string admission(const box::Patient& patient) {
  std::string keys = "MA";
  for (const auto& line : patient.lines) keys += line + "\n";
  return keys;
}

class Planted : public testing::TestWithParam<const char*> {};

TEST_P(Planted, MountsTheFixedShareAndCopiesTheCanary) {
  NEEDS_A_BOX();
  if (!std::filesystem::exists(package(GetParam()))) GTEST_SKIP() << "needs the lab's packages (./dev build)";
  const auto firmware = unpack::open({package(GetParam())});
  ASSERT_TRUE(firmware);
  box::Plan plan;
  plan.program = "/opt/bin/monitor";
  plan.input = "MU";
  plan.linger_ms = 100;
  const auto record = box::run(*firmware, plan);
  ASSERT_TRUE(record) << record.error().message;
  const auto* mount = find(*record, "mount", "198.51.100.23:/pm");
  ASSERT_NE(mount, nullptr) << record->output;
  EXPECT_EQ(mount->target, "/mnt");
  EXPECT_EQ(mount->address, "198.51.100.23");
  EXPECT_EQ(mount->actor, "/opt/bin/monitor");
  EXPECT_EQ(mount->answer, "canary");
  const auto* raised = find(*record, "interface", "eth0");
  ASSERT_NE(raised, nullptr);
  EXPECT_EQ(raised->target, "up");
  ASSERT_EQ(record->landings.size(), 1u);
  EXPECT_EQ(record->landings[0].path, "/opt/bin/monitor");
  EXPECT_EQ(record->landings[0].canary, "/mnt/monitor");
  EXPECT_TRUE(record->landings[0].replaced);
  EXPECT_LT(record->run_ms, 10'000u);
}

TEST_P(Planted, SendsTheCanaryPatientToTheFixedPeer) {
  NEEDS_A_BOX();
  if (!std::filesystem::exists(package(GetParam()))) GTEST_SKIP() << "needs the lab's packages (./dev build)";
  const auto firmware = unpack::open({package(GetParam())});
  ASSERT_TRUE(firmware);
  const auto patient = box::canary_patient("5ec2e7");
  box::Plan plan;
  plan.secret = "5ec2e7";
  plan.program = "/opt/bin/monitor";
  plan.input = admission(patient);
  plan.limits.wall_seconds = 3;
  const auto record = box::run(*firmware, plan);
  ASSERT_TRUE(record) << record.error().message;
  const auto* connect = find(*record, "connect", "198.51.100.23");
  ASSERT_NE(connect, nullptr) << record->output;
  EXPECT_EQ(connect->port, 515);
  EXPECT_EQ(connect->answer, "answered");
  const std::string_view frames = base::as_text(record->capture);
  for (const auto& canary : patient.canaries) EXPECT_NE(frames.find(canary), std::string_view::npos) << canary;
}

INSTANTIATE_TEST_SUITE_P(Packages, Planted, testing::Values("monitor-2.0.6.bin", "monitor-prerelease.bin", "monitor-2.0.8-pre.bin"),
                         [](const auto& at) { return "n" + std::to_string(at.index); });

// ---- real images

struct Real {
  std::vector<std::string> inputs;  // beneath the shared firmware
  unsigned programs;                // at least so many different ones must have been started
};

class RealBoot : public testing::TestWithParam<Real> {};

TEST_P(RealBoot, ComesThisFarAndLeavesNothing) {
  NEEDS_A_BOX();
  const char* shared = std::getenv("BIOPSY_SHARED");
  const std::string place = shared ? shared : BIOPSY_SOURCE_DIR "/../shared";
  std::vector<std::string> inputs;
  for (const auto& input : GetParam().inputs) {
    inputs.push_back(place + "/firmware/" + input);
    if (!std::filesystem::exists(inputs.back())) GTEST_SKIP() << "needs shared firmware: " << input;
  }
  const auto firmware = unpack::open(inputs);
  ASSERT_TRUE(firmware);
  const std::string mounted = mounts();
  box::Plan plan;
  plan.limits.wall_seconds = 12;
  const auto record = box::run(*firmware, plan);
  ASSERT_TRUE(record) << record.error().message;
  std::vector<std::string> started;
  for (const auto& event : record->events)
    if (event.call == "execute" && event.answer != "missing") started.push_back(event.object);
  std::sort(started.begin(), started.end());
  started.erase(std::unique(started.begin(), started.end()), started.end());
  fmt::print("{}: {} programs, {} calls\n", GetParam().inputs.front(), started.size(), record->notified_calls);
  EXPECT_GE(started.size(), GetParam().programs) << record->output;
  EXPECT_EQ(mounts(), mounted);
  EXPECT_THAT(processes(), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Images, RealBoot,
                         testing::Values(Real{{"images/dlink-dir815-1.01b14.bin"}, 10}, Real{{"images/lede-17.01.4-tl-wr841-v11-factory.bin"}, 10},
                                         Real{{"dumps/ipcam-sannce/rootfs.bin", "dumps/ipcam-sannce/system.bin"}, 3},
                                         Real{{"dumps/ipcam-wyzecam_v2-4.9.1.60/rootfs.bin", "dumps/ipcam-wyzecam_v2-4.9.1.60/driver.bin"}, 3}),
                         [](const auto& at) { return "n" + std::to_string(at.index); });

// ---- the monitor's own sources on other machines, and as nobody

class Monitor : public testing::TestWithParam<const char*> {
 protected:
  // The monitor for this machine, with the stand-ins for the commands that it gives to a shell. False: skipped.
  bool make(Image& image) {
    const auto* machine = std::find_if(std::begin(kMachines), std::end(kMachines), [](const Machine& one) { return std::string_view(one.name) == GetParam(); });
    if (!have(machine->compiler) || !have(machine->emulator)) return false;
    std::string sources;
    for (const char* name : {"guard/guard.c", "monitor/screen.c", "monitor/settings.c", "monitor/monitor.c", "monitor/patient.c", "monitor/vitals.c", "monitor/central.c",
                             "monitor/central_frames.c", "monitor/central_hl7.c", "monitor/central_plain.c", "monitor/update_share.c"})
      sources += fmt::format(" {}/lab/{}", BIOPSY_SOURCE_DIR, name);
    const auto monitor = compiled(*machine, sources), applets = compiled(*machine, BIOPSY_SOURCE_DIR "/src/box/fence/applets.c");
    if (monitor.empty() || applets.empty()) return false;
    image.add("/opt/bin/monitor", base::as_text(monitor));
    image.add("/opt/data/none", "", 0644);
    for (const char* name : {"sh", "mount", "umount", "cp", "ifconfig"}) image.add(fmt::format("/bin/{}", name), base::as_text(applets));
    return true;
  }
};

TEST_P(Monitor, IsSeenOnThisMachine) {
  NEEDS_A_BOX();
  Image image;
  if (!make(image)) GTEST_SKIP() << "needs a compiler and an emulator for " << GetParam();
  const auto patient = box::canary_patient("5ec2e7");
  box::Plan plan;
  plan.secret = "5ec2e7";
  plan.program = "/opt/bin/monitor";
  plan.limits.wall_seconds = 5;
  plan.input = "MU";
  const auto update = box::run(image.firmware, plan);
  ASSERT_TRUE(update) << update.error().message;
  ASSERT_NE(find(*update, "mount", "198.51.100.23:/pm"), nullptr) << update->output;
  ASSERT_EQ(update->landings.size(), 1u) << update->output;
  EXPECT_EQ(update->landings[0].path, "/opt/bin/monitor");
  EXPECT_LT(update->run_ms, 5'000u);
  plan.input = admission(patient);
  plan.limits.wall_seconds = 2;
  const auto sender = box::run(image.firmware, plan);
  ASSERT_TRUE(sender) << sender.error().message;
  const auto* connect = find(*sender, "connect", "198.51.100.23");
  ASSERT_NE(connect, nullptr) << sender->output;
  EXPECT_EQ(connect->port, 515);
  EXPECT_NE(base::as_text(sender->capture).find(patient.canaries[0]), std::string_view::npos);
}

INSTANTIATE_TEST_SUITE_P(Machines, Monitor, testing::Values("armel", "mipsel", "amd64"), [](const auto& at) { return std::string(at.param); });

TEST(Box, NeedsNoRoot) {
  NEEDS_A_BOX();
  Image image;
  image.add("/bin/nothing", "#!/bin/none\n");
  box::Plan plan;
  plan.program = "/bin/nothing";
  plan.linger_ms = 0;
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(3);
    const auto record = box::run(image.firmware, plan);
    _exit(record && record->ended == "exited" && geteuid() != 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Box, AsksQuickly) {
  NEEDS_A_BOX();
  const Machine& native = kMachines[8];
  if (!have(native.compiler) || !have(native.emulator)) GTEST_SKIP() << "needs " << native.compiler << " and " << native.emulator;
  const auto program = compiled(native, BIOPSY_SOURCE_DIR "/src/box/fence/calls.c");
  ASSERT_FALSE(program.empty());
  Image image;
  image.add("/bin/calls", base::as_text(program));
  box::Plan plan;
  plan.program = "/bin/calls";
  plan.linger_ms = 0;
  const auto record = box::run(image.firmware, plan);
  ASSERT_TRUE(record) << record.error().message;
  long named = 0, connected = 0;
  ASSERT_EQ(std::sscanf(record->output.c_str(), "named %ld connected %ld", &named, &connected), 2) << record->output;
  fmt::print("a notified call takes {:.1f} us, one that is not {:.1f} us\n", static_cast<double>(named) / 1000, static_cast<double>(connected) / 1000);
  EXPECT_LT(named - connected, 150'000);
}

TEST(CleanTwin, StaysWithinWhatItDeclares) {
  NEEDS_A_BOX();
  if (!std::filesystem::exists(package("monitor-clean.bin"))) GTEST_SKIP() << "needs the lab's packages (./dev build)";
  const auto firmware = unpack::open({package("monitor-clean.bin")});
  ASSERT_TRUE(firmware);
  box::Plan plan;
  plan.secret = "5ec2e7";
  plan.program = "/opt/bin/monitor";
  plan.input = admission(box::canary_patient("5ec2e7")) + "MUY";
  plan.limits.wall_seconds = 3;
  const auto record = box::run(*firmware, plan);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_THAT(record->output, HasSubstr("no server is set"));
  for (const auto& event : record->events) EXPECT_FALSE(event.call == "connect" || event.call == "mount" || event.call == "send") << event.call << " " << event.address;
  EXPECT_THAT(record->landings, testing::IsEmpty());
  EXPECT_EQ(base::as_text(record->capture).find("Canary"), std::string_view::npos);
}

TEST(Boot, StartsTheScriptsAndTheProgramsAfterThem) {
  NEEDS_A_BOX();
  if (!std::filesystem::exists(package("monitor-2.0.6.bin"))) GTEST_SKIP() << "needs the lab's packages (./dev build)";
  const auto firmware = unpack::open({package("monitor-2.0.6.bin")});
  ASSERT_TRUE(firmware);
  box::Plan plan;
  plan.limits.wall_seconds = 8;
  const auto record = box::run(*firmware, plan);
  ASSERT_TRUE(record) << record.error().message;
  for (const char* path : {"/sbin/init", "/etc/init.d/rcS", "/etc/init.d/S80update", "/opt/bin/update", "/opt/bin/monitor"}) EXPECT_NE(find(*record, "execute", path), nullptr) << path;
  EXPECT_EQ(find(*record, "mount", "198.51.100.23:/pm"), nullptr) << "nobody held the key";
}

}  // namespace
