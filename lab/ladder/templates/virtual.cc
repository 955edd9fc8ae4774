#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::string @v.label@ = "unit";

void @f.log@(const std::string &what) {
  std::ofstream out("/var/log/@program@.log", std::ios::app);
  std::cout << @v.label@ << ' ' << what << std::endl;
  out << what << '\n';
}

bool @f.plain@(const std::string &text) {
  for (char letter : text) {
    if (!std::isalnum(static_cast<unsigned char>(letter)) && letter != '.' && letter != '-') return false;
  }
  return !text.empty();
}

unsigned @f.number@(const char *file) {
  std::ifstream in(file);
  unsigned value = 0;
  in >> value;
  return in ? value : 0;
}

class @t.step@ {
 public:
  virtual ~@t.step@() = default;
  virtual int @f.work@(const std::string &@v.server@) = 0;
};

class @t.idle@ : public @t.step@ {
 public:
  int @f.work@(const std::string &) override {
    @f.log@("nothing to do");
    return 0;
  }
};

class @t.fetch@ : public @t.step@ {
 public:
  int @f.work@(const std::string &@v.server@) override {
@cpp_fetch@
    return 0;
  }
};

class @t.install@ : public @t.step@ {
 public:
  int @f.work@(const std::string &) override {
//[ verified
    if (std::system("@verify_text@") != 0) {
      @f.log@("refused: signature verification failed");
      return -1;
    }
//| ignored
    std::system("@verify_text@");
//]
@cpp_unpack@
//[ verified,ignored
    std::cout << @f.number@("@stage@.d/version") << " over " << @f.number@("/etc/@program@.version") << '\n';
//]
//[ verified
    if (@f.number@("@stage@.d/version") <= @f.number@("/etc/@program@.version")) {
      @f.log@("refused: not newer");
      return -1;
    }
//]
@cpp_install@
    @f.log@("update done");
    return 0;
  }
};

int @f.update@(const std::string &@v.server@) {
  std::vector<std::unique_ptr<@t.step@>> @v.steps@;
  @v.steps@.push_back(std::make_unique<@t.idle@>());
  @v.steps@.push_back(std::make_unique<@t.fetch@>());
  @v.steps@.push_back(std::make_unique<@t.install@>());
  for (auto &step : @v.steps@) {
    if (step->@f.work@(@v.server@) != 0) return -1;
  }
  return 0;
}

std::string @f.ask@(const char *prompt) {
  std::string line;
  std::cout << prompt << std::flush;
  std::getline(std::cin, line);
  return line;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc > 1 && std::strcmp(argv[1], "--help") == 0) {
    std::puts("usage: @program@ [--help]");
    std::puts("@help@");
    return 0;
  }
//[ typed
  std::string @v.host@ = @f.ask@("Server: ");
  if (!@f.plain@(@v.host@)) {
    @f.log@("no server");
    return 0;
  }
  @f.update@(@v.host@);
//|
  @f.update@("@peer@");
//]
  std::string @v.typed@ = @f.ask@("Label: ");
  if (@f.plain@(@v.typed@)) @v.label@ = @v.typed@;
  @f.log@("label");
  return 0;
}
