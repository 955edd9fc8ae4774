#include "rules/update_paths.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/text.h"
#include "rules/embedded.h"
#include "rules/match.h"
#include "rules/update_ways.h"

namespace rules {

using effects::Effect;
using effects::EffectId;
using effects::Graph;
using effects::Kind;
using effects::Program;
using effects::Trigger;
using result::Property;

namespace {

// One line of the grade, without its key.
struct Grade {
  std::string state, because;
  std::optional<effects::Site> site;
  std::string follows{};
};

// The same, where it fell only because another line did.
Grade following(std::string_view key, Grade grade) {
  if (grade.state != "present") grade.follows = key;
  return grade;
}

Grade present(std::string because, const Effect& proof) { return {"present", std::move(because), masked_site(proof)}; }
Grade fake(std::string because, const Effect& proof) { return {"fake", std::move(because), masked_site(proof)}; }
Grade not_evaluated(std::string because) { return {"not-evaluated", std::move(because), {}}; }

bool verifies(const Effect& effect) { return effect.kind == Kind::verify_signature || effect.notes.contains("checks-signature"); }
bool hashes(const Effect& effect) { return effect.kind == Kind::check_hash || effect.notes.contains("checks-hash"); }
bool compares_version(const Effect& effect) { return (effect.kind == Kind::compare_version && !effect.notes.contains("number-of-content")) || effect.notes.contains("checks-version"); }

bool is_log(const Effect& effect) {
  if (effect.kind == Kind::log) return true;
  if (effect.kind != Kind::write) return false;
  const std::string& path = effect.target.value;
  return path.find("/log/") != std::string::npos || path.ends_with(".log") || path.find("/logs/") != std::string::npos;
}

bool is_protected(const effects::Endpoint& peer, const Effect& source) {
  constexpr std::string_view known[] = {"https", "ftps", "sftp", "ssh", "scp", "wss", "mqtts", "tls", "rsyncs"};
  return source.notes.contains("tls") || std::ranges::find(known, peer.protocol) != std::end(known);
}

std::string listed(const std::vector<std::string>& items) {
  std::string out;
  for (std::size_t i = 0; i < items.size() && i < 4; ++i) out += (i ? ", " : "") + items[i];
  if (items.size() > 4) out += fmt::format(" and {} more", items.size() - 4);
  return out;
}

class Grader {
 public:
  Grader(const Graph& graph, const Links& links, const Arrival& arrival) : graph_(graph), links_(links), arrival_(arrival) {}

  Grade grade(std::string_view key) const {
    if (!arrival_.family.empty())
      if (auto loose = handed_over(key)) return *loose;
    Grade out = followed(key);
    if (!words_only() || out.state == "absent" || out.state == "not-evaluated") return out;
    if (out.state == "fake" && key == "authenticity") {
      out.because += ", as far as the program's words go";
      return out;
    }
    Grade weaker = not_evaluated(out.because + ", as far as the program's words go");
    weaker.site = out.site;
    return weaker;
  }

 private:
  Grade followed(std::string_view key) const {
    if (key == "authenticity") return authenticity();
    if (key == "integrity") return integrity();
    if (key == "signed-version") return signed_version();
    if (key == "source-authenticated") return source_authenticated();
    if (key == "source-owner-configured") return source_owner_configured();
    if (key == "protected-transport") return protected_transport();
    if (key == "compatibility") return compatibility();
    if (key == "verified-at-boot") return verified_at_boot();
    if (key == "unchanged-between-check-and-use") return unchanged();
    if (key == "consent") return consent();
    if (key == "audit-record") return audit_record();
    if (key == "audit-record-elsewhere") return audit_elsewhere();
    if (key == "readable-by-owner") return readable();
    if (key == "survives-interruption") return survives();
    if (key == "recovery-authenticated") return recovery();
    if (key == "bounded-target") return bounded();
    return not_evaluated("no reader of this property is built in");
  }

  // Nothing of the way itself was followed in code.
  bool words_only() const {
    return arrival_.family.empty() && std::ranges::all_of(arrival_.ways, [&](const Way& way) { return std::ranges::any_of(way, [&](EffectId id) { return at(id).assumed && at(id).kind != Kind::execute; }); });
  }

  // A command that is handed a file, and functions of other scripts that it runs: what they do is known, in which order is not.
  std::optional<Grade> handed_over(std::string_view key) const {
    const auto somewhere_in_family = [&](auto sort) -> const Effect* {
      for (std::uint32_t i = 0; i < graph_.effects.size(); ++i)
        if (const Effect& effect = at(EffectId{i}); arrival_.family.contains(effect.program) && sort(effect)) return &effect;
      return nullptr;
    };
    const std::string name = graph_.programs[arrival_.program].path + " and the scripts whose functions it runs";
    const auto seen = [&](auto sort, std::string what, std::string lacking) -> Grade {
      if (const Effect* found = somewhere_in_family(sort)) {
        Grade grade = not_evaluated(std::move(what) + "; whether it decides was not followed");
        grade.site = masked_site(*found);
        return grade;
      }
      return absent(std::move(lacking), end_of(arrival_.ways.front()));
    };
    if (key == "authenticity") return seen(verifies, "a signature is verified", "nothing in " + name + " verifies a signature");
    if (key == "integrity") return seen([](const Effect& e) { return verifies(e) || hashes(e); }, "a signature or hash is checked", "nothing in " + name + " checks a signature or a hash");
    if (key == "signed-version") return seen([](const Effect& e) { return compares_version(e); }, "versions are compared", "nothing in " + name + " compares versions");
    if (key == "compatibility") return seen([](const Effect& e) { return e.kind == Kind::compare_device || e.kind == Kind::compare_constant; }, "marks of the device are compared", "nothing in " + name + " asks whether it was made for this device");
    if (key == "consent") return seen([](const Effect& e) { return e.kind == Kind::ask_user; }, "a person is asked something", "nobody is asked");
    if (key == "audit-record") return seen(is_log, "something is recorded", "nothing in " + name + " records that it was installed");
    if (key == "audit-record-elsewhere") return following("audit-record", seen(is_log, "something is recorded", "there is no record that could be kept elsewhere"));
    if (key == "unchanged-between-check-and-use") return not_evaluated("the order of check and use was not followed");
    if (key == "source-authenticated" || key == "source-owner-configured" || key == "protected-transport") return not_evaluated("whoever runs it names the file; how that came to the device is not part of this way");
    return std::nullopt;
  }

  const Effect& at(EffectId id) const { return graph_.effects[id]; }
  const Effect& source() const { return at(arrival_.sources.front()); }
  const Effect& end_of(const Way& way) const { return at(way.back()); }

  // "Absent" is said of code that was read to its end.
  Grade absent(std::string because, const Effect& proof) const {
    for (const Way& way : arrival_.ways)
      for (const EffectId id : way) {
        const Program& program = graph_.programs[at(id).program];
        if (arrival_.family.empty() && at(id).assumed && at(id).kind != Kind::execute) return not_evaluated(because + ", as far as its words go: " + at(id).assumption);
        if (program.depth == Program::Depth::modelled) continue;
        return not_evaluated(because + ", as far as " + program.path + " was read: " + (program.depth_reason.empty() ? "not to its end" : program.depth_reason));
      }
    return {"absent", std::move(because), masked_site(proof)};
  }

  // The checks of one sort that stand before the end of a way.
  template <typename Sort>
  std::vector<EffectId> checks(const Way& way, Sort sort) const {
    std::vector<EffectId> out;
    for (const EffectId step : way)
      for (const EffectId check : links_.guards_of(step))
        if (sort(at(check)) && guards(links_, way, check) && std::ranges::find(out, check) == out.end()) out.push_back(check);
    return out;
  }

  template <typename Sort>
  const Effect* somewhere(Sort sort) const {
    for (const EffectId id : arrival_.content)
      if (sort(at(id))) return &at(id);
    for (std::uint32_t i = 0; i < graph_.effects.size(); ++i)
      if (const Effect& effect = at(EffectId{i}); effect.program == arrival_.program && sort(effect)) return &effect;
    return nullptr;
  }

  // A comparison is about this way in when what it compares lies where its content was put.
  bool of_content(const Effect& effect) const {
    const auto file = effect.notes.find("offered");
    return file == effect.notes.end() || file->second.find('/') == std::string::npos || file->second.starts_with("${") || is_content(file->second);
  }
  bool is_constant(const Effect& effect) const { return effect.kind == Kind::compare_constant && of_content(effect); }

  // What a program that stands before the end does is known only when it was read.
  const Effect* unread_check(const Way& way) const {
    for (const EffectId id : checks(way, [](const Effect& e) { return e.kind == Kind::execute && !e.notes.contains("modelled"); })) {
      if (std::ranges::find(way, id) != way.end() || coverage_of(graph_, links_, arrival_, way, id).kind != Coverage::Kind::whole) continue;
      const std::string& path = at(id).object.value;
      bool read = false;
      for (const Program& program : graph_.programs) read = read || (program.path == path && program.depth == Program::Depth::modelled);
      if (!read) return &at(id);
    }
    return nullptr;
  }

  Grade authenticity_of(const Way& way) const {
    const auto signatures = checks(way, verifies), lists = checks(way, hashes);
    std::optional<Grade> fallen;
    for (const EffectId id : signatures) {
      const Effect& check = at(id);
      const Coverage covers = coverage_of(graph_, links_, arrival_, way, id);
      if (covers.kind == Coverage::Kind::whole) return present("a signature over what is installed decides before it", check);
      for (const EffectId hash : lists)
        if (covers_list(id, hash) && coverage_of(graph_, links_, arrival_, way, hash).kind == Coverage::Kind::whole)
          return present("a signature over the list of hashes, and the hashes of what is installed, decide before it", check);
      if (fallen) continue;
      if (covers.kind == Coverage::Kind::live || on_share(way, id)) fallen = following("unchanged-between-check-and-use", absent("the signature is checked on the share itself, which is read again for the copy", check));
      else if (covers.kind == Coverage::Kind::unknown) fallen = not_evaluated("a signature is verified before it; what the signature covers could not be followed");
      else fallen = absent(fmt::format("a signature over {} is checked, which is not what is installed", covers.reads), check);
      if (!fallen->site) fallen->site = masked_site(check);
    }
    if (fallen) return *fallen;
    if (const Effect* unread = unread_check(way)) {
      Grade grade = not_evaluated(fmt::format("{} is asked before it; what that program checks was not read", unread->object.value));
      grade.site = masked_site(*unread);
      return grade;
    }
    const auto constants = checks(way, [&](const Effect& e) { return is_constant(e); });
    if (!constants.empty()) return fake("what looks like a check compares with a constant that anyone can copy", at(constants.front()));
    if (!lists.empty()) return absent(where_hash_is_from(lists.front()), at(lists.front()));
    if (const Effect* ignored = somewhere([](const Effect& e) { return verifies(e); })) return absent("a signature is looked at, but its outcome does not decide whether it is installed", *ignored);
    return absent("nothing verifies a signature before it is installed", end_of(way));
  }

  std::string where_hash_is_from(EffectId hash) const {
    const bool carried = arrival_.content.contains(hash);
    if (!carried) return "a hash is compared, and no signature: where the hash comes from was not followed to a signature";
    const bool clear = arrival_.peer && !is_protected(*arrival_.peer, source());
    return clear ? "the hash comes over the same clear channel as the content: whoever changes one changes both" : "the hash comes with the content: whoever changes one changes both";
  }

  // The signature covers the list of hashes: the same file, or a file that came to the same place with it.
  bool covers_list(EffectId signature, EffectId hash) const {
    const auto directory = [](const std::string& path) { return path.substr(0, path.rfind('/') + 1); };
    std::vector<std::string> signed_paths{at(signature).object.value}, hashed{at(hash).object.value};
    for (const EffectId from : links_.feeds_in(signature))
      if (at(from).kind == Kind::read && arrival_.content.contains(from)) signed_paths.push_back(at(from).object.value);
    for (const EffectId from : links_.feeds_in(hash))
      if (at(from).kind == Kind::read) hashed.push_back(at(from).object.value);
    for (const auto& a : signed_paths)
      for (const auto& b : hashed) {
        if (a.empty() || b.empty()) continue;
        if (a == b) return true;
        // In a program the names of the files come from the list that was read beside them.
        if (at(hash).site.address && !directory(a).empty() && directory(a) == directory(b) && at(signature).program == at(hash).program) return true;
      }
    return false;
  }

  // The worst of all ends speaks for the entry.
  template <typename Of>
  Grade worst(Of of) const {
    static constexpr std::array order{"absent", "fake", "not-evaluated", "present"};
    const auto rank = [](const Grade& grade) { return std::ranges::find(order, std::string_view(grade.state)) - order.begin(); };
    std::optional<Grade> out;
    for (const Way& way : arrival_.ways) {
      Grade grade = of(way);
      if (!out || rank(grade) < rank(*out)) out = std::move(grade);
    }
    return *out;
  }

  Grade authenticity() const {
    return worst([&](const Way& way) { return authenticity_of(way); });
  }

  Grade integrity() const {
    return worst([&](const Way& way) -> Grade {
      const Grade authentic = authenticity_of(way);
      if (authentic.state == "present") return {"present", "the same check covers every byte that is installed", authentic.site};
      if (authentic.state == "not-evaluated") return authentic;
      const auto lists = checks(way, hashes);
      const std::string_view rests_on = authentic.follows.empty() ? "authenticity" : std::string_view(authentic.follows);
      if (!lists.empty()) return following(rests_on, absent("a hash finds damage on the way, not a change: " + where_hash_is_from(lists.front()), at(lists.front())));
      if (const Effect* late = somewhere([](const Effect& e) { return hashes(e); })) return following(rests_on, absent("a hash is compared, but the outcome does not decide whether it is installed", *late));
      if (authentic.state == "fake") return fake("a constant in the content says nothing about its other bytes", checked_constant(way));
      return absent("nothing checks the bytes before they are installed", end_of(way));
    });
  }

  const Effect& checked_constant(const Way& way) const {
    const auto constants = checks(way, [&](const Effect& e) { return is_constant(e); });
    return constants.empty() ? end_of(way) : at(constants.front());
  }

  Grade signed_version() const {
    return worst([&](const Way& way) -> Grade {
      const auto versions = checks(way, compares_version);
      if (versions.empty()) {
        const auto numbers = checks(way, [](const Effect& e) { return e.notes.contains("number-of-content"); });
        if (!numbers.empty()) {
          Grade grade = not_evaluated("a number of the content decides; whether it is a version is not known");
          grade.site = masked_site(at(numbers.front()));
          return grade;
        }
        if (const Effect* ignored = somewhere([](const Effect& e) { return compares_version(e); })) return absent("versions are compared, but the outcome does not decide", *ignored);
        return absent("no version is compared: an older one is taken as well", end_of(way));
      }
      const Effect& check = at(versions.front());
      const Grade authentic = authenticity_of(way);
      const std::string_view rests_on = authentic.follows.empty() ? "authenticity" : std::string_view(authentic.follows);
      if (authentic.state == "not-evaluated") return following(rests_on, not_evaluated("versions are compared; whether a signature covers the version is not known"));
      if (authentic.state != "present") return following(rests_on, absent("versions are compared, but no signature covers the one that is offered: anyone can write a higher number", check));
      if (!version_is_covered(way, versions)) return absent("the version that is compared is not part of what the signature covers", check);
      return present("a version that the signature covers is compared with the installed one", check);
    });
  }

  // The offered version is read from what was signed, or from what was unpacked out of it.
  bool version_is_covered(const Way& way, const std::vector<EffectId>& versions) const {
    for (const EffectId version : versions) {
      const auto from = at(version).notes.find("offered");
      if (from == at(version).notes.end()) return true;  // where it is read from could not be told apart
      const std::string& path = from->second;
      for (const EffectId signature : checks(way, verifies)) {
        if (at(signature).object.value == path) return true;
        for (const EffectId reader : links_.feeds_in(signature))
          if (at(reader).kind == Kind::read && at(reader).object.value == path) return true;
      }
      for (const EffectId step : way) {
        const Effect& effect = at(step);
        const bool writes = effect.kind == Kind::unpack || effect.kind == Kind::copy;
        if (writes && !effect.target.empty() && base::is_beneath(path, effect.target.value)) return true;
      }
      for (const EffectId id : arrival_.content) {  // unpacked from the signed package by the same program
        const Effect& effect = at(id);
        if (effect.kind != Kind::unpack || effect.target.empty() || !base::is_beneath(path, effect.target.value)) continue;
        for (const EffectId signature : checks(way, verifies))
          if (path_read(at(signature)) == path_read(effect)) return true;
      }
    }
    return false;
  }

  Grade source_authenticated() const {
    if (!arrival_.peer) {
      if (arrival_.transport == "removable-media") return absent("any card or stick is taken", source());
      return not_evaluated("who may send it was not followed");
    }
    const std::string& words = source().site.words;  // options of wget and curl
    const bool unchecked = source().notes.contains("unchecked") || words.find("--no-check-certificate") != std::string::npos || words.find("--insecure") != std::string::npos || (words.find("curl") != std::string::npos && words.find(" -k") != std::string::npos);
    if (is_protected(*arrival_.peer, source())) {
      if (unchecked) return absent("the channel is encrypted, but the certificate is not checked", source());
      for (const Effect& effect : graph_.effects)  // a program that switches the check off
        if (effect.kind == Kind::setting && effect.program == source().program && effect.notes.contains("topic") && effect.notes.at("topic") == "unchecked-certificate")
          return absent("the channel is encrypted, and the program switches the check of certificates off", effect);
      if (source().site.address) return not_evaluated("the channel is encrypted; whether its certificate is checked was not followed");
      return present("the channel is encrypted and the command checks the certificate", source());
    }
    const auto options = source().notes.find("options");
    if (options != source().notes.end() && options->second.find("sec=krb5") != std::string::npos) return present("the share is mounted with Kerberos", source());
    return absent(fmt::format("{} does not prove who answers", arrival_.transport), source());
  }

  Grade source_owner_configured() const {
    using effects::Provenance;
    if (!arrival_.peer) {
      if (arrival_.transport == "removable-media") return absent("no setting of the owner limits which card or stick is taken", source());
      return not_evaluated("no peer is named: whoever reaches the device sends it");
    }
    const auto& peer = *arrival_.peer;
    const std::string origin = peer.origin.empty() ? "" : " (" + peer.origin + ")";
    switch (peer.provenance) {
      case Provenance::setting: return present("the owner names it in a setting that ships empty" + origin, source());
      case Provenance::input: return present("the operator types it" + origin, source());
      case Provenance::literal: return absent("it is fixed in the program", source());
      case Provenance::shipped_default: return absent("it ships as a default in the image" + origin, source());
      case Provenance::unknown: break;
    }
    return not_evaluated("where the peer comes from could not be followed");
  }

  Grade protected_transport() const {
    if (!arrival_.peer) return not_evaluated(arrival_.transport == "removable-media" ? "it is carried by hand: there is no channel to protect" : "the channel of what is sent was not followed");
    if (is_protected(*arrival_.peer, source())) return present("the channel is encrypted", source());
    const auto options = source().notes.find("options");
    if (options != source().notes.end() && options->second.find("sec=krb5p") != std::string::npos) return present("the share is mounted with Kerberos, which encrypts what is sent", source());
    if (arrival_.transport == "network") return not_evaluated("which protocol it is could not be told");
    return absent(fmt::format("{} is sent in clear", arrival_.transport), source());
  }

  Grade compatibility() const {
    return worst([&](const Way& way) -> Grade {
      const auto compared = checks(way, [&](const Effect& e) { return e.kind == Kind::compare_device && of_content(e); });
      const auto named = checks(way, [&](const Effect& e) { return is_constant(e); });
      if (!compared.empty()) return present("what it was made for is compared before", at(compared.front()));
      if (!named.empty()) return present("a mark of the device is compared before", at(named.front()));
      return absent("nothing asks whether it was made for this device", end_of(way));
    });
  }

  Grade verified_at_boot() const {
    bool loader = false;
    for (std::uint32_t i = 0; i < graph_.effects.size(); ++i) {
      const Effect& effect = at(EffectId{i});
      const Program& program = graph_.programs[effect.program];
      const bool boots = program.kind == Program::Kind::table && std::ranges::any_of(program.triggers, [](const Trigger& t) { return t.detail == "the boot loader"; });
      loader = loader || boots;
      if (!verifies(effect) || effect.kind != Kind::verify_signature) continue;
      if (boots) {
        Grade grade = not_evaluated("the boot loader knows how to verify a signature; whether it insists on one was not followed");
        grade.site = effect.site;
        return grade;
      }
      const auto& triggers = effect.triggers.empty() ? program.triggers : effect.triggers;
      const bool at_boot = std::ranges::any_of(triggers, [](const Trigger& t) { return t.kind == Trigger::Kind::boot; });
      const bool of_update = std::ranges::any_of(arrival_.ways, [&](const Way& way) { return guards(links_, way, EffectId{i}); }) || arrival_.content.contains(EffectId{i});
      if (at_boot && !of_update) return present("a signature is verified when the device starts", effect);
    }
    if (loader) return absent("neither the boot loader's settings nor a program that starts at boot verifies a signature", end_of(arrival_.ways.front()));
    return not_evaluated("no program that starts at boot verifies a signature; the boot loader is not in what was read");
  }

  Grade unchanged() const {
    return worst([&](const Way& way) -> Grade {
      auto all = checks(way, verifies);
      for (const EffectId id : checks(way, hashes)) all.push_back(id);
      if (all.empty() && source().kind == Kind::mount_remote && installs_first(way)) return absent("nothing is checked, and what is copied is read from a share that can change meanwhile", end_of(way));
      if (all.empty()) return following("authenticity", absent("nothing is checked before it is used", end_of(way)));
      bool unknown = false;
      for (const EffectId id : all) {
        const Coverage covers = coverage_of(graph_, links_, arrival_, way, id);
        if (covers.kind == Coverage::Kind::live || on_share(way, id)) return absent("the check and the copy each read a share that can change in between", at(id));
        if (covers.kind == Coverage::Kind::whole) {
          if (on_medium(way)) return absent("the check and the copy each read the medium", at(id));
          return present("what is used is the local copy that was checked", at(id));
        }
        unknown = unknown || covers.kind == Coverage::Kind::unknown;
      }
      if (unknown) return not_evaluated("what is checked before could not be followed");
      return absent("what is checked is not what is used", at(all.front()));
    });
  }

  // A check of files that lie on the mounted share, where what is installed is read from there once more.
  bool on_share(const Way& way, EffectId check) const {
    const Effect& from = at(way.front());
    if (from.kind != Kind::mount_remote || from.target.empty() || way.size() < 2 || !base::is_beneath(path_read(at(way[1])), from.target.value) || !contains(links_.guards_of(way[1]), check)) return false;
    std::vector<std::string> read{at(check).object.value};
    for (const EffectId reader : links_.feeds_in(check))
      if (at(reader).kind == Kind::read && arrival_.content.contains(reader)) read.push_back(at(reader).object.value);
    return std::ranges::any_of(read, [&](const std::string& path) { return path.starts_with('/') && base::is_beneath(path, from.target.value); });
  }

  bool on_medium(const Way& way) const {
    const Effect& from = at(way.front());
    return from.kind == Kind::mount_media && way.size() > 1 && !from.target.empty() && base::is_beneath(path_read(at(way[1])), from.target.value) && installs_first(way);
  }
  bool installs_first(const Way& way) const { return way.size() == 2; }

  Grade consent() const {
    return worst([&](const Way& way) -> Grade {
      const auto asked = checks(way, [](const Effect& e) { return e.kind == Kind::ask_user; });
      const Effect* early = nullptr;
      for (const EffectId id : asked) {
        const bool later = after_content(way, id);
        if (!later) {
          early = &at(id);
          continue;
        }
        if (shown_before(id)) return present("a person is shown what is offered and asked before it is installed", at(id));
        early = &at(id);
      }
      for (const EffectId id : asked)
        if (after_content(way, id)) return absent("a person is asked before it is installed, but is shown nothing of what is offered", at(id));
      if (early) return absent("a person starts it, but is neither shown what is offered nor asked again", *early);
      const auto triggers = entry_triggers();
      if (!triggers.empty() && std::ranges::all_of(triggers, [](const Trigger& t) { return effects::started_by_user(t.kind); })) return absent("a person starts it, but is neither shown what is offered nor asked again", end_of(way));
      return absent("nobody is asked", end_of(way));
    });
  }

  // True where the question comes when the content is already here.
  bool after_content(const Way& way, EffectId id) const {
    const auto& before = links_.guards_of(id);
    for (std::size_t i = 0; i + 1 < way.size(); ++i)
      if (std::ranges::find(before, way[i]) != before.end() || links_.precedes(way[i], id)) return true;
    return std::ranges::any_of(before, [&](EffectId check) { return verifies(at(check)) || hashes(at(check)); });
  }

  // Something that was made of the content is put before a person: in the question itself, or printed before it.
  bool shown_before(EffectId question) const {
    if (!at(question).site.address && tells_content(question)) return true;  // the words of a dialog
    for (std::uint32_t i = 0; i < graph_.effects.size(); ++i)  // a dialog's words stand at its own command
      if (const Effect& effect = at(EffectId{i}); effect.kind == Kind::print && !effect.site.address && effect.program == at(question).program && effect.site.line == at(question).site.line && tells_content(EffectId{i})) return true;
    for (std::uint32_t i = 0; i < graph_.effects.size(); ++i) {
      const EffectId id{i};
      if (at(id).kind == Kind::print && at(id).program == at(question).program && tells_content(id) && links_.precedes(id, question)) return true;
    }
    return false;
  }
  bool tells_content(EffectId id) const {
    if (arrival_.content.contains(id)) return true;
    if (const auto file = at(id).notes.find("offered"); file != at(id).notes.end() && is_content(file->second)) return true;
    const auto& in = links_.feeds_in(id);
    return std::ranges::any_of(in, [&](EffectId from) { return arrival_.content.contains(from); });
  }

  // A file that lies where content was put.
  bool is_content(const std::string& path) const {
    return std::ranges::any_of(arrival_.content, [&](EffectId id) {
      const std::string& target = at(id).target.value;
      return target.size() > 1 && at(id).kind != Kind::log && base::is_beneath(path, target);
    });
  }

  struct Records {
    const Effect *accepted = nullptr, *refused = nullptr;
  };
  Records records() const {
    Records out;
    for (std::uint32_t i = 0; i < graph_.effects.size(); ++i) {
      const EffectId id{i};
      const Effect& effect = at(id);
      if (!is_log(effect)) continue;
      bool after = false, started = false;
      for (const Way& way : arrival_.ways) {
        if (effect.program != end_of(way).program && effect.program != arrival_.program) continue;
        after = after || links_.precedes(way.back(), id) || contains(links_.guards_of(id), way.back());
        for (const EffectId step : way) started = started || links_.precedes(step, id) || contains(links_.guards_of(id), step);
      }
      if (after && !out.accepted) out.accepted = &effect;
      else if (started && !after && !out.refused) out.refused = &effect;
    }
    return out;
  }
  bool recorded_in_part() const {
    const auto [accepted, refused] = records();
    return accepted || refused;
  }

  Grade audit_record() const {
    const auto [accepted, refused] = records();
    if (accepted && refused) return present("what was installed and what was refused are recorded", *accepted);
    if (accepted) return absent("what was installed is recorded, what was refused is not", *accepted);
    if (refused) return absent("failures are recorded, what was installed is not", *refused);
    return absent("nothing records that it was installed", end_of(arrival_.ways.front()));
  }

  static bool contains(const std::vector<EffectId>& list, EffectId id) { return std::ranges::find(list, id) != list.end(); }

  Grade audit_elsewhere() const {
    if (const Grade local = audit_record(); local.state != "present" && !recorded_in_part()) return following("audit-record", absent("there is no record that could be kept elsewhere", end_of(arrival_.ways.front())));
    const bool by_syslog = somewhere([](const Effect& e) { return e.kind == Kind::log; }) != nullptr;
    for (const Effect& effect : graph_.effects) {
      if (!effect.peer || effect.peer->protocol != "syslog") continue;
      if (!by_syslog) return not_evaluated("a log host can be named; whether this record goes there was not followed");
      if (effect.peer->provenance == effects::Provenance::setting) return present("the log goes to a host as well, once the owner names one", effect);
      return present("the log goes to a host as well", effect);
    }
    return absent("no log host is named", end_of(arrival_.ways.front()));
  }

  Grade readable() const { return not_evaluated("whether the device shows its owner what runs is not judged from code alone"); }

  Grade survives() const {
    return worst([&](const Way& way) -> Grade {
      const Effect& end = end_of(way);
      const auto call = end.notes.find("call");
      const bool moved = end.kind == Kind::copy && ((call != end.notes.end() && call->second == "rename") || is_move(end));
      if (end.kind == Kind::execute || end.kind == Kind::load_module) return not_evaluated("it is run from where it arrived; what it leaves behind is not known");
      if (end.kind == Kind::write_flash) return absent("flash is written in place; that the device can still start from another copy was not seen", end);
      if (!moved) return absent("files are written over those in use: an interruption leaves a part", end);
      for (const EffectId other : checks_and_moves_before(way)) {
        const Effect& away = at(other);
        if (away.object.value != end.target.value) continue;
        if (const Effect* undo = put_back_at_start(away.target.value, end.target.value)) return present("an interruption between the two moves is undone when the device starts", *undo);
        return absent("the old ones are moved away before the new ones take their place: in between there are none", end);
      }
      return present("it is written beside and then put in place by one rename", end);
    });
  }
  // What a start does that finds the old ones where the update moved them.
  const Effect* put_back_at_start(const std::string& from, const std::string& to) const {
    for (const Effect& effect : graph_.effects) {
      if (effect.kind != Kind::copy || !is_move(effect) || effect.object.value != from || effect.target.value != to || effect.program == arrival_.program) continue;
      const auto& triggers = effect.triggers.empty() ? graph_.programs[effect.program].triggers : effect.triggers;
      if (std::ranges::any_of(triggers, [](const Trigger& t) { return t.kind == Trigger::Kind::boot; })) return &effect;
    }
    return nullptr;
  }
  static bool is_move(const Effect& effect) {
    const auto word = std::string_view(effect.site.words).substr(0, effect.site.words.find(' '));
    return word == "mv" || word.ends_with("/mv") || effect.site.words.find("system(\"mv ") != std::string::npos;
  }
  std::vector<EffectId> checks_and_moves_before(const Way& way) const {
    std::vector<EffectId> out;
    for (std::uint32_t i = 0; i < graph_.effects.size(); ++i) {
      const EffectId id{i};
      if (id == way.back() || at(id).kind != Kind::copy || at(id).program != end_of(way).program) continue;
      if (contains(links_.guards_of(way.back()), id) || links_.precedes(id, way.back())) out.push_back(id);
    }
    return out;
  }

  Grade recovery() const {
    for (const Effect& effect : graph_.effects)
      if (effect.kind == Kind::write_flash && base::lower(effect.target.value).find("recovery") != std::string::npos)
        return not_evaluated("a recovery partition is written; whether it is authenticated when it starts was not followed");
    return not_evaluated("no recovery image was seen");
  }

  Grade bounded() const {
    return worst([&](const Way& way) -> Grade {
      const Effect& end = end_of(way);
      const std::string target = end.target.empty() && end.kind == Kind::write_flash ? "flash" : end.target.value;
      switch (end.kind) {
        case Kind::execute: case Kind::load_module: return absent("what arrives is run and may write anything", end);
        case Kind::write_flash:
          if (target.find("${") != std::string::npos) return not_evaluated("where in flash it is written could not be followed");
          return present(fmt::format("it is written to {} alone", target), end);
        case Kind::unpack: return absent(fmt::format("the archive says what is written beneath {}", target), end);
        default: break;
      }
      if (target.empty() || target.find("${") != std::string::npos) return not_evaluated("where it is written could not be followed");
      const bool any_name = end.object.value.find_first_of("*?[") != std::string::npos || end.object.value.ends_with("/.");
      if (any_name) return absent(fmt::format("whatever the source holds is written into {}", target), end);
      return present(fmt::format("it is written to {} alone", target), end);
    });
  }

 public:
  std::vector<Trigger> entry_triggers() const {
    for (const EffectId id : arrival_.sources)
      if (!at(id).triggers.empty()) return at(id).triggers;
    return graph_.programs[arrival_.program].triggers;
  }

 private:
  const Graph& graph_;
  const Links& links_;
  const Arrival& arrival_;
};

Trigger heaviest(std::vector<Trigger> triggers) {
  const auto weight = [](const Trigger& trigger) { return trigger.kind == Trigger::Kind::unknown ? 2 : effects::started_by_user(trigger.kind) ? 1 : 0; };
  std::ranges::stable_sort(triggers, {}, weight);
  return triggers.empty() ? Trigger{Trigger::Kind::unknown, "nothing in the image was seen to start it"} : triggers.front();
}

}  // namespace

const std::vector<UpdateProperty>& update_properties() {
  static const std::vector<UpdateProperty> list = [] {
    std::vector<UpdateProperty> out;
    for (const auto& node : YAML::Load(std::string(embedded::update_properties_yaml))["properties"]) out.push_back({node["key"].as<std::string>(), node["asks"].as<std::string>()});
    return out;
  }();
  return list;
}

std::vector<result::UpdatePath> update_paths(const Graph& graph) {
  const Links links(graph);
  std::vector<result::UpdatePath> out;
  for (const Arrival& arrival : arrivals(graph, links)) {
    const Grader grader(graph, links, arrival);
    result::UpdatePath path;
    path.program = graph.programs[arrival.program].path;
    path.source = arrival.source;
    path.transport = arrival.transport;
    if (arrival.peer) path.endpoints.push_back(*arrival.peer);
    path.trigger = heaviest(grader.entry_triggers());
    for (const Way& way : arrival.ways) {
      const Effect& end = graph.effects[way.back()];
      const auto add = [&](const std::string& target) {
        if (!target.empty() && std::ranges::find(path.targets, target) == path.targets.end() && path.targets.size() < 50) path.targets.push_back(target);
      };
      for (const auto& replaced : end.replaced) add(replaced);
      if (end.replaced.empty()) add(end.target.empty() ? end.object.value : end.target.value);
    }
    std::ranges::sort(path.targets);
    const std::string identity = path.program + '\n' + path.transport + '\n' + (arrival.peer ? "peer" : path.source) + '\n' + listed(path.targets);
    path.id = "update-" + base::sha256_hex(base::as_bytes(identity)).substr(0, 10);
    for (const auto& property : update_properties()) {
      Grade grade = grader.grade(property.key);
      path.properties.push_back({property.key, std::move(grade.state), std::move(grade.because), std::move(grade.site), std::move(grade.follows)});
    }
    out.push_back(std::move(path));
  }
  std::ranges::stable_sort(out, {}, [](const auto& path) { return std::pair(path.program, path.source); });
  std::map<std::string, int> seen;
  for (auto& path : out)
    if (const int count = ++seen[path.id]; count > 1) path.id += fmt::format("-{}", count);
  return out;
}

}  // namespace rules
