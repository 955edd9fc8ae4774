// The command by which the public conformance suite judges the library, and a small client for scripts:
// exit 0 on success, 1 on any refusal, with one line on standard error that starts with the kind of refusal.
#include <getopt.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "tuf/client.h"

namespace {

constexpr const char* usage =
    "usage: tuf-client --metadata-dir DIR init TRUSTED_ROOT\n"
    "       tuf-client --metadata-dir DIR --metadata-url URL refresh\n"
    "       tuf-client --metadata-dir DIR --metadata-url URL --target-name NAME...\n"
    "                  --target-base-url URL --target-dir DIR download\n";

struct Arguments {
  std::string metadata_dir;
  std::string metadata_url;
  std::vector<std::string> target_names;
  std::string target_base_url;
  std::string target_dir;
  std::vector<std::string> words;  // the command and what follows it
};

int refuse(const tuf::Error& error) {
  std::fprintf(stderr, "tuf-client: %s: %s\n", std::string(tuf::kind_name(error.kind)).c_str(),
               error.message.c_str());
  return 1;
}

int init(const Arguments& arguments) {
  const auto fetcher = tuf::make_fetcher();
  const auto root = tuf::fetch_all(*fetcher, "file://" + tuf::percent_encode(arguments.words[1], "/"),
                                   tuf::Options{}.root_limit);
  if (!root) return refuse(root.error());
  if (const auto done = tuf::install_root(arguments.metadata_dir, *root); !done) return refuse(done.error());
  return 0;
}

int refresh_and_download(const Arguments& arguments) {
  const auto fetcher = tuf::make_fetcher();
  auto client = tuf::Client::open(arguments.metadata_dir, arguments.metadata_url, *fetcher);
  if (!client) return refuse(client.error());
  if (const auto done = client->refresh(); !done) return refuse(done.error());
  for (const auto& name : arguments.target_names) {
    const auto target = client->find(name);
    if (!target) return refuse(target.error());
    if (const auto path = client->download(*target, arguments.target_base_url, arguments.target_dir); !path)
      return refuse(path.error());
  }
  return 0;
}

int run(const Arguments& arguments) {
  const std::string command = arguments.words.empty() ? "" : arguments.words[0];
  const bool place = !arguments.metadata_dir.empty();
  if (command == "init" && arguments.words.size() == 2 && place) return init(arguments);
  const bool remote = place && arguments.words.size() == 1 && !arguments.metadata_url.empty();
  if (command == "refresh" && remote && arguments.target_names.empty())
    return refresh_and_download(arguments);
  if (command == "download" && remote && !arguments.target_names.empty() &&
      !arguments.target_base_url.empty() && !arguments.target_dir.empty())
    return refresh_and_download(arguments);
  std::fputs(usage, stderr);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::array options = {option{"metadata-dir", required_argument, nullptr, 'm'},
                              option{"metadata-url", required_argument, nullptr, 'u'},
                              option{"target-name", required_argument, nullptr, 'n'},
                              option{"target-base-url", required_argument, nullptr, 'b'},
                              option{"target-dir", required_argument, nullptr, 'd'},
                              option{"help", no_argument, nullptr, 'h'},
                              option{nullptr, 0, nullptr, 0}};
  Arguments arguments;
  for (int c = 0; (c = getopt_long(argc, argv, "h", options.data(), nullptr)) != -1;) {
    switch (c) {
      case 'm':
        arguments.metadata_dir = optarg;
        break;
      case 'u':
        arguments.metadata_url = optarg;
        break;
      case 'n':
        arguments.target_names.emplace_back(optarg);
        break;
      case 'b':
        arguments.target_base_url = optarg;
        break;
      case 'd':
        arguments.target_dir = optarg;
        break;
      case 'h':
        std::fputs(usage, stdout);
        return 0;
      default:
        std::fputs(usage, stderr);
        return 1;
    }
  }
  arguments.words.assign(argv + optind, argv + argc);
  return run(arguments);
}
