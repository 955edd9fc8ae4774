#include "derive/ways_in.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <regex>

#include "base/hash.h"
#include "base/text.h"
#include "elf/elf.h"

namespace derive {

using effects::Effect;
using effects::EffectId;
using effects::Kind;
using effects::Trigger;

namespace {

constexpr std::size_t kLargestPage = 1 << 18, kLongestForm = 6000;

bool holds_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

std::optional<std::string> attribute(const std::string& tag, const char* name) {
  const std::regex pattern(std::string("\\b") + name + "\\s*=\\s*[\"']?([^\"'\\s>]+)", std::regex::icase);
  std::smatch found;
  if (!std::regex_search(tag, found, pattern)) return std::nullopt;
  return found[1].str();
}

struct Form {
  std::string page, action, words;
  std::uint32_t line = 0;
};

// Forms of a page that send a file which their own words call firmware.
std::vector<Form> firmware_forms(std::string_view text, const std::string& page) {
  std::vector<Form> out;
  const std::string low = base::lower(text);
  for (auto at = low.find("<form"); at != std::string::npos && out.size() < 8; at = low.find("<form", at + 5)) {
    const auto end = low.find('>', at);
    if (end == std::string::npos || end - at > 1000) continue;
    const std::string tag(text.substr(at, end - at + 1)), low_tag = low.substr(at, end - at + 1);
    if (low_tag.find("multipart/form-data") == std::string::npos) continue;
    const auto close = std::min(low.find("</form", end), at + kLongestForm);
    const std::string body = low.substr(end, close - end);
    if (body.find("type=\"file\"") == std::string::npos && body.find("type='file'") == std::string::npos && body.find("type=file") == std::string::npos) continue;
    const bool firmware = holds_any(body, {"firmware", "fwup", "sysupgrade"}) || holds_any(low_tag, {"firmware", "fwup", "upgrade", "fw_up", "sysupgrade", "flash"});
    if (!firmware || holds_any(low_tag, {"lang", "restore", "config", "cert"})) continue;
    const auto action = attribute(tag, "action");
    if (!action || action->find_first_of("<$?{") != std::string::npos) continue;
    out.push_back({page, *action, base::masked(tag, ""), static_cast<std::uint32_t>(1 + std::ranges::count(text.substr(0, at), '\n'))});
  }
  return out;
}

// The program that a form's action names: beside the page, or anywhere under that name.
const unpack::Node* handler_of(const unpack::Tree& tree, const Form& form) {
  const auto name = form.action.substr(form.action.rfind('/') + 1);
  const auto directory = form.page.substr(0, form.page.rfind('/'));
  for (const auto& path : {form.action.starts_with('/') ? form.action : directory + "/" + form.action})
    if (const auto* node = tree.resolve(path); node && node->type == unpack::NodeType::regular) return node;
  for (const auto& node : tree.nodes()) {
    if (!node.path.ends_with("/" + name)) continue;
    if (const auto* target = tree.resolve(node.path); target && target->type == unpack::NodeType::regular) return target;
  }
  return nullptr;
}

bool is_public_key_call(std::string_view name) { return holds_any(base::lower(name), {"rsa", "ecdsa", "ed25519", "evp_verify", "evp_digestverify", "pem_read", "d2i_", "pkcs7", "cms_verify", "mbedtls_pk", "sign_open", "gpgme"}); }

class HandlerReader {
 public:
  HandlerReader(const unpack::Firmware& firmware, const unpack::Node& node, ProgramFacts& facts) : firmware_(firmware), node_(node), facts_(facts), bytes_(firmware.bytes(node)) {}

  void read(const Form& form) {
    Effect upload;
    upload.kind = Kind::request;
    upload.site.file = form.page;
    upload.site.line = form.line;
    upload.site.words = form.words;
    upload.object.value = "what is uploaded through " + form.action;
    upload.notes["upload"] = "yes";
    upload.assumed = true;
    upload.assumption = "the form's words say that it is firmware; that this program takes it follows from the form's action";
    upload.triggers = {{Trigger::Kind::user, "a form of the web interface"}};
    const auto from = add(std::move(upload));
    Effect flash = here(Kind::write_flash, flash_device());
    flash.object.value = "what is uploaded";
    flash.target.value = flash_target_.empty() ? "flash" : flash_target_;
    flash.assumption = flash_target_.empty() ? "the form says that it is firmware; how it is written was not followed" : "the program names this flash device; that it writes what is uploaded there was not followed";
    flash.triggers = {{Trigger::Kind::user, "a form of the web interface"}};
    const auto to = add(std::move(flash));
    facts_.edges.push_back({EffectId{from}, EffectId{to}, effects::EdgeKind::feeds, true, "what is uploaded is what is written"});
    for (const auto check : marks()) facts_.edges.push_back({EffectId{check}, EffectId{to}, effects::EdgeKind::guards, true, "a mark is asked for before"});
  }

 private:
  std::uint32_t add(Effect effect) {
    facts_.effects.push_back(std::move(effect));
    return static_cast<std::uint32_t>(facts_.effects.size() - 1);
  }

  Effect here(Kind kind, std::pair<std::uint64_t, std::string> place) const {
    Effect effect;
    effect.kind = kind;
    effect.site.file = node_.path;
    if (place.first != 0) effect.site.address = place.first;
    else effect.site.line = 1;
    effect.site.words = std::move(place.second);
    effect.assumed = true;
    return effect;
  }

  std::pair<std::uint64_t, std::string> flash_device() {
    const auto binary = elf::read(bytes_);
    if (!binary) return {0, std::string(base::trim(base::as_text(base::clipped(bytes_, 0, 60))))};
    for (const auto& [address, text] : binary->strings(6))
      if (text.starts_with("/dev/mtd") || text.find("/dev/mtdblock") != std::string_view::npos || text.find("mtd write") != std::string_view::npos || text.find("flashcp") != std::string_view::npos) {
        flash_target_ = text.starts_with("/dev/") ? std::string(text) : "flash";
        return {address, std::string(text)};
      }
    return {binary->entry, node_.path};
  }

  // Texts with which images are marked ("signature=", "hw_id="), and files of the image that hold a mark, in a program that knows no
  // public key: what it asks for, anyone can copy.
  std::vector<std::uint32_t> marks() {
    std::vector<std::uint32_t> out;
    const auto binary = elf::read(bytes_);
    if (!binary || std::ranges::any_of(binary->imports, [](const auto& import) { return is_public_key_call(import.name); })) return out;
    static const std::regex label("^(fw_?|image_?|fw\\.)?(sign(ature)?|hw_?id|board_?id|product_?id|model(_?name)?|magic|vendor_?id)=$", std::regex::icase);
    static const std::regex mark_file("^/[a-z0-9_/.-]*/[a-z_]*(sign|hw_?id|board_?id|product_?id|model|magic)[a-z_]*$", std::regex::icase);
    for (const auto& [address, text] : binary->strings(5)) {
      if (out.size() >= 8 || text.size() > 80) continue;
      bool is_file = false;
      if (std::regex_match(text.begin(), text.end(), mark_file)) {
        const auto* file = firmware_.root.resolve(text);
        is_file = file && file->type == unpack::NodeType::regular && file->size > 0 && file->size <= 256;
      }
      if (!is_file && !std::regex_match(text.begin(), text.end(), label)) continue;
      Effect effect = here(Kind::compare_constant, {address, std::string(text)});
      effect.object.value = is_file ? "the mark in " + std::string(text) : "a mark of the image after " + std::string(text);
      effect.notes["content"] = "yes";
      effect.assumption = "the program holds this text and knows no public key; how it compares was not followed";
      out.push_back(add(std::move(effect)));
    }
    return out;
  }

  const unpack::Firmware& firmware_;
  const unpack::Node& node_;
  ProgramFacts& facts_;
  base::ByteView bytes_;
  std::string flash_target_;
};

ProgramFacts facts_of_node(const unpack::Firmware& firmware, const unpack::Node& node, std::string reason) {
  ProgramFacts facts;
  facts.program.path = node.path;
  facts.program.kind = elf::is_elf(firmware.bytes(node)) ? effects::Program::Kind::binary : effects::Program::Kind::script;
  facts.program.sha256 = base::sha256_hex(firmware.bytes(node));
  facts.program.depth = effects::Program::Depth::recognised;
  facts.program.depth_reason = std::move(reason);
  return facts;
}

bool is_page(std::string_view path) {
  for (const auto ending : {".html", ".htm", ".php", ".asp", ".shtml", ".cgi", ".lua", ".js", ".tmpl"})
    if (path.ends_with(ending)) return true;
  return false;
}

}  // namespace

std::vector<ProgramFacts> facts_of_upload_forms(const unpack::Firmware& firmware) {
  std::vector<ProgramFacts> out;
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular || node.size > kLargestPage || !is_page(node.path)) continue;
    const base::ByteView bytes = firmware.bytes(node);
    if (elf::is_elf(bytes)) continue;
    for (const Form& form : firmware_forms(base::as_text(bytes), node.path)) {
      const unpack::Node* handler = handler_of(firmware.root, form);
      if (!handler) handler = &node;
      if (std::ranges::any_of(out, [&](const auto& known) { return known.program.path == handler->path; })) continue;
      ProgramFacts facts = facts_of_node(firmware, *handler, "what it does with an upload was not followed");
      HandlerReader(firmware, *handler, facts).read(form);
      out.push_back(std::move(facts));
    }
  }
  return out;
}

std::vector<ProgramFacts> facts_of_remote_management(const unpack::Firmware& firmware) {
  std::vector<ProgramFacts> out;
  for (const auto& node : firmware.root.nodes()) {
    if (node.type != unpack::NodeType::regular) continue;
    const base::ByteView bytes = firmware.bytes(node);
    if (!elf::is_elf(bytes)) continue;
    const auto text = base::as_text(bytes);
    const auto space = text.find("urn:dslforum-org:cwmp");
    if (space == std::string_view::npos || !holds_any(text, {"DownloadResponse", "TransferComplete"}) || !holds_any(text, {"1 Firmware Upgrade Image", "Firmware Upgrade"})) continue;
    const auto binary = elf::read(bytes);
    if (!binary) continue;
    std::uint64_t at = 0, image = 0;
    for (const auto& [address, words] : binary->strings(8)) {
      if (at == 0 && words.find("urn:dslforum-org:cwmp") != std::string_view::npos) at = address;
      if (image == 0 && words.find("Firmware Upgrade") != std::string_view::npos) image = address;
    }
    ProgramFacts facts = facts_of_node(firmware, node, "a client of CWMP; its code was not followed to the download");
    const auto effect_at = [&](Kind kind, std::uint64_t address, std::string words, std::string assumption) {
      Effect effect;
      effect.kind = kind;
      effect.site.file = node.path;
      effect.site.address = address;
      effect.site.words = std::move(words);
      effect.assumed = true;
      effect.assumption = std::move(assumption);
      effect.triggers = {{Trigger::Kind::network_input, "the management server's Download"}};
      return effect;
    };
    Effect fetch = effect_at(Kind::fetch, at, "urn:dslforum-org:cwmp", "the program speaks CWMP and knows Download; how it fetches was not followed");
    fetch.peer = effects::endpoint_from_name("${unknown}", effects::Provenance::unknown);
    fetch.peer->protocol = "cwmp";
    fetch.object.value = "what the management server names";
    fetch.target.value = "/tmp";
    Effect flash = effect_at(Kind::write_flash, image, "1 Firmware Upgrade Image", "it is told that what it downloads is firmware; how it is written was not followed");
    flash.object.value = "what was downloaded";
    flash.target.value = "flash";
    facts.effects = {std::move(fetch), std::move(flash)};
    facts.edges.push_back({EffectId{0}, EffectId{1}, effects::EdgeKind::feeds, true, "what is downloaded is what is written"});
    out.push_back(std::move(facts));
  }
  return out;
}

}  // namespace derive
