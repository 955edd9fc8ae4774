// bedside-publish: the publisher's side. Exit 0 done, 1 not done (with the reason), 2 usage.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>

#include "device/update/publish.h"

int main(int argc, char** argv) {
  CLI::App app("Keys, releases and a repository of plain files");
  update::Publisher publisher;
  update::Release release;
  std::string role;
  publisher.now = std::time(nullptr);
  app.add_option("--repository", publisher.repository, "folder of the repository")->required();
  app.add_option("--keys", publisher.keys, "folder of the everyday keys")->required();
  app.require_subcommand(1);
  auto* first = app.add_subcommand("init", "make all keys and the first metadata");
  auto* put = app.add_subcommand("release", "sign a release");
  auto* timestamp = app.add_subcommand("timestamp", "a fresh timestamp");
  auto* rotate = app.add_subcommand("rotate", "a new key for a role");
  for (auto* command : {first, rotate})
    command->add_option("--root-key", publisher.root_keys, "folder with one root key; repeat")->required();
  rotate->add_option("role", role, "root, targets, snapshot or timestamp")->required();
  put->add_option("--image", release.image_path)->required();
  put->add_option("--target", release.target);
  put->add_option("--hardware", release.hardware)->required();
  put->add_option("--version-text", release.version)->required();
  put->add_option("--notes", release.notes)->required();
  put->add_option("--release", release.release)->required();
  put->add_option("--from-release", release.from_release);
  put->add_option("--floor", release.floor);
  put->add_option("--slot-a", release.slot_a)->required();
  put->add_option("--slot-b", release.slot_b)->required();
  put->add_option("--sbom", release.sbom, "bill of materials of the image, CycloneDX");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  base::Result<void> done;
  if (*first) done = update::publish_first(publisher);
  if (*put) done = update::publish_release(publisher, release);
  if (*timestamp) done = update::publish_timestamp(publisher);
  if (*rotate) done = update::rotate_key(publisher, role);
  if (done) return 0;
  std::fprintf(stderr, "bedside-publish: %s\n", done.error().message.c_str());
  return 1;
}
