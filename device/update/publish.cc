#include "device/update/publish.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/hash.h"
#include "device/update/package.h"
#include "tuf/metadata.h"
#include "tuf/store.h"

namespace update {
namespace {

using base::Error;
using tuf::Json;
using Pkey = std::unique_ptr<EVP_PKEY, tuf::PkeyFree>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

constexpr std::int64_t day = 86'400;

base::Result<void> broken(std::string why) { return base::fail(Error::Kind::internal, std::move(why)); }

base::Result<void> save(const std::string& folder, const std::string& name, std::string_view bytes,
                        bool secret = false) {
  auto store = tuf::Store::open(folder);
  if (!store) return base::fail(Error::Kind::unreadable, store.error().message);
  if (auto done = store->write(name, bytes); !done)
    return base::fail(Error::Kind::unreadable, done.error().message);
  if (secret && ::chmod((folder + "/" + name).c_str(), 0600) != 0)
    return broken("the key file's mode could not be set");
  return {};
}

base::Result<std::string> load(const std::string& path) {
  const auto bytes = base::read_file(path, std::uint64_t{1} << 26);
  if (!bytes) return std::unexpected(bytes.error());
  return std::string(base::as_text(*bytes));
}

std::string bio_text(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(length)};
}

// A key that can sign: its public half as metadata has it.
struct Signer {
  Pkey pkey;
  Json object;
  std::string id;

  std::string sign(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::string out(64, '\0');
    std::size_t length = out.size();
    EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, pkey.get());
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &length,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return tuf::to_hex(out);
  }
};

base::Result<Signer> load_signer(const std::string& path) {
  const auto pem = load(path);
  if (!pem) return std::unexpected(pem.error());
  const Bio bio(BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())), BIO_free);
  Signer out{Pkey(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr)), {}, {}};
  std::string raw(32, '\0');
  std::size_t length = raw.size();
  if (!out.pkey ||
      EVP_PKEY_get_raw_public_key(out.pkey.get(), reinterpret_cast<unsigned char*>(raw.data()), &length) !=
          1 ||
      length != 32)
    return base::fail(Error::Kind::damaged, path + ": not an ed25519 key");
  out.object = {{"keytype", "ed25519"}, {"scheme", "ed25519"}, {"keyval", {{"public", tuf::to_hex(raw)}}}};
  out.id = tuf::key_id(out.object);
  return out;
}

std::string private_pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return bio_text(bio.get());
}

base::Result<void> make_key(const std::string& folder, const std::string& name) {
  const Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) return broken("no key could be made");
  return save(folder, name, private_pem(key.get()), true);
}

// The key that signs packages for SWUpdate, and the certificate that devices know it by.
base::Result<void> make_package_key(const std::string& folder, std::int64_t now) {
  const Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), X509_free);
  if (!key || !cert) return broken("no key could be made");
  X509_set_version(cert.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  ASN1_TIME_set(X509_getm_notBefore(cert.get()), now - day);
  ASN1_TIME_set(X509_getm_notAfter(cert.get()), now + 20 * 365 * day);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* name = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("package publisher"), -1, -1, 0);
  X509_set_issuer_name(cert.get(), name);
  for (const auto& [nid, value] : {std::pair{NID_basic_constraints, "critical,CA:TRUE"},
                                   std::pair{NID_key_usage, "critical,digitalSignature,keyCertSign"},
                                   std::pair{NID_ext_key_usage, "codeSigning"}}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(cert.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  if (X509_sign(cert.get(), key.get(), EVP_sha256()) == 0) return broken("the certificate could not be made");
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(bio.get(), cert.get());
  if (auto done = save(folder, "package.crt", bio_text(bio.get())); !done) return done;
  return save(folder, "package.pem", private_pem(key.get()), true);
}

std::string metadata_folder(const Publisher& p) { return p.repository + "/metadata"; }

// The newest signed part of a role. Every role is also kept under its plain name, which is the publisher's
// own copy.
base::Result<Json> newest(const Publisher& p, const std::string& role) {
  const auto text = load(metadata_folder(p) + "/" + role + ".json");
  if (!text) return std::unexpected(text.error());
  auto value = tuf::parse_json(*text);
  if (!value || !value->is_object() || !value->contains("signed"))
    return base::fail(Error::Kind::damaged, role + ".json is damaged");
  return value->at("signed");
}

base::Result<void> put(const Publisher& p, const std::string& role, const Json& body,
                       const std::vector<const Signer*>& signers) {
  Json signatures = Json::array();
  const std::string text = tuf::canonical_json(body);
  for (const Signer* signer : signers)
    signatures.push_back({{"keyid", signer->id}, {"sig", signer->sign(text)}});
  const std::string bytes = Json{{"signatures", signatures}, {"signed", body}}.dump(1) + "\n";
  if (role != "timestamp")
    if (auto done = save(metadata_folder(p),
                         fmt::format("{}.{}.json", body.at("version").get<std::int64_t>(), role), bytes);
        !done)
      return done;
  return save(metadata_folder(p), role + ".json", bytes);
}

Json new_body(const std::string& role, std::int64_t expires) {
  return {{"_type", role}, {"spec_version", "1.0.31"}, {"version", 0}, {"expires", tuf::write_date(expires)}};
}

// One version on and a new date, signed by the role's own key.
base::Result<void> put_next(const Publisher& p, const std::string& role, Json body, std::int64_t lifetime) {
  const auto signer = load_signer(p.keys + "/" + role + ".pem");
  if (!signer) return std::unexpected(signer.error());
  body["version"] = body.at("version").get<std::int64_t>() + 1;
  body["expires"] = tuf::write_date(p.now + lifetime);
  return put(p, role, body, {&*signer});
}

// What a role says of the file of another: version, length, hash.
base::Result<Json> description_of(const Publisher& p, const std::string& role) {
  const auto bytes = load(metadata_folder(p) + "/" + role + ".json");
  const auto body = newest(p, role);
  if (!bytes || !body) return base::fail(Error::Kind::unreadable, role + ".json cannot be read");
  return Json{{"version", body->at("version")},
              {"length", bytes->size()},
              {"hashes", {{"sha256", base::sha256_hex(base::as_bytes(*bytes))}}}};
}

base::Result<void> put_timestamp(const Publisher& p) {
  auto body = newest(p, "timestamp");
  const auto snapshot = description_of(p, "snapshot");
  if (!snapshot) return std::unexpected(snapshot.error());
  if (!body) body = new_body("timestamp", 0);
  (*body)["meta"] = {{"snapshot.json", *snapshot}};
  return put_next(p, "timestamp", *body, 14 * day);
}

base::Result<void> put_snapshot(const Publisher& p) {
  auto body = newest(p, "snapshot");
  const auto targets = description_of(p, "targets");
  if (!targets) return std::unexpected(targets.error());
  if (!body) body = new_body("snapshot", 0);
  (*body)["meta"] = {{"targets.json", *targets}};
  if (auto done = put_next(p, "snapshot", *body, 180 * day); !done) return done;
  return put_timestamp(p);
}

// The root with the keys that are on disk now, signed by them and by `outgoing` (keys that sign for the last
// time).
base::Result<void> put_root(const Publisher& p, Json body, const std::vector<const Signer*>& outgoing,
                            const std::vector<std::string>& root_ids) {
  std::vector<Signer> roots;
  for (const auto& folder : p.root_keys)
    if (auto signer = load_signer(folder + "/root.pem")) roots.push_back(std::move(*signer));
  Json keys = body.value("keys", Json::object());
  std::vector<std::string> ids = root_ids;
  if (ids.empty())
    for (const auto& root : roots) ids.push_back(root.id);
  for (const auto& root : roots) keys[root.id] = root.object;
  body["roles"]["root"] = {{"keyids", ids}, {"threshold", 2}};
  for (const std::string role : {"targets", "snapshot", "timestamp"}) {
    const auto signer = load_signer(p.keys + "/" + role + ".pem");
    if (!signer) return std::unexpected(signer.error());
    keys[signer->id] = signer->object;
    body["roles"][role] = {{"keyids", Json::array({signer->id})}, {"threshold", 1}};
  }
  Json used = Json::object();
  for (const auto& [name, role] : body["roles"].items())
    for (const auto& id : role["keyids"]) used[id.get<std::string>()] = keys.at(id.get<std::string>());
  body["keys"] = used;
  body["version"] = body.at("version").get<std::int64_t>() + 1;
  body["expires"] = tuf::write_date(p.now + 730 * day);
  std::vector<const Signer*> signers = outgoing;
  for (const auto& root : roots)
    if (std::ranges::find(signers, root.id, &Signer::id) == signers.end()) signers.push_back(&root);
  if (signers.size() < 2)
    return base::fail(Error::Kind::unsupported, "two root keys are needed to sign a root");
  return put(p, "root", body, signers);
}

}  // namespace

base::Result<void> publish_first(const Publisher& p) {
  if (p.root_keys.size() != 3)
    return base::fail(Error::Kind::unsupported, "three folders for root keys are needed");
  for (const auto& folder : {p.repository, metadata_folder(p), p.repository + "/targets", p.keys})
    ::mkdir(folder.c_str(), 0755);
  if (newest(p, "root")) return base::fail(Error::Kind::unsupported, "the repository has a root already");
  for (const auto& folder : p.root_keys) {
    ::mkdir(folder.c_str(), 0700);
    if (auto done = make_key(folder, "root.pem"); !done) return done;
  }
  for (const std::string role : {"targets", "snapshot", "timestamp"})
    if (auto done = make_key(p.keys, role + ".pem"); !done) return done;
  if (auto done = make_package_key(p.keys, p.now); !done) return done;
  Json root = new_body("root", 0);
  root["consistent_snapshot"] = true;
  if (auto done = put_root(p, root, {}, {}); !done) return done;
  Json targets = new_body("targets", 0);
  targets["targets"] = Json::object();
  if (auto done = put_next(p, "targets", targets, 365 * day); !done) return done;
  return put_snapshot(p);
}

base::Result<void> publish_release(const Publisher& p, const Release& release) {
  const auto image = base::read_file(release.image_path);
  const auto certificate = load(p.keys + "/package.crt");
  const auto key = load(p.keys + "/package.pem");
  auto targets = newest(p, "targets");
  if (!image) return std::unexpected(image.error());
  if (!certificate || !key || !targets)
    return base::fail(Error::Kind::unreadable, "the keys or the repository cannot be read");
  const std::string sum = base::sha256_hex(*image);
  const std::string draft = p.keys + "/draft.swu";
  if (auto done = make_package(draft, {release.version, "monitor.img", sum, {release.slot_a, release.slot_b}},
                               *image, *certificate, *key);
      !done)
    return done;
  const auto package = load(draft);
  ::unlink(draft.c_str());
  if (!package) return std::unexpected(package.error());
  const std::string hash = base::sha256_hex(base::as_bytes(*package));
  if (auto done = save(p.repository + "/targets", hash + "." + release.target, *package); !done) return done;
  (*targets)["targets"][release.target] = {{"length", package->size()},
                                           {"hashes", {{"sha256", hash}}},
                                           {"custom",
                                            {{"hardware", release.hardware},
                                             {"version", release.version},
                                             {"notes", release.notes},
                                             {"release", release.release},
                                             {"from_release", release.from_release},
                                             {"floor", release.floor},
                                             {"image", {{"length", image->size()}, {"sha256", sum}}}}}};
  const std::string bill = release.target + ".cdx.json";
  (*targets)["targets"].erase(bill);  // that of an older release
  if (!release.sbom.empty()) {
    const auto text = load(release.sbom);
    if (!text) return std::unexpected(text.error());
    const std::string bill_hash = base::sha256_hex(base::as_bytes(*text));
    if (auto done = save(p.repository + "/targets", bill_hash + "." + bill, *text); !done) return done;
    (*targets)["targets"][bill] = {{"length", text->size()}, {"hashes", {{"sha256", bill_hash}}}};
  }
  if (auto done = put_next(p, "targets", *targets, 365 * day); !done) return done;
  return put_snapshot(p);
}

base::Result<void> publish_timestamp(const Publisher& p) { return put_timestamp(p); }

base::Result<void> rotate_key(const Publisher& p, const std::string& role) {
  auto root = newest(p, "root");
  if (!root) return std::unexpected(root.error());
  std::vector<std::string> ids = root->at("roles").at("root").at("keyids").get<std::vector<std::string>>();
  if (role == "root") {
    if (p.root_keys.size() < 2)
      return base::fail(Error::Kind::unsupported, "two folders with root keys are needed");
    const auto old = load_signer(p.root_keys[0] + "/root.pem");
    if (!old) return std::unexpected(old.error());
    if (auto done = make_key(p.root_keys[0], "root.pem"); !done) return done;
    const auto fresh = load_signer(p.root_keys[0] + "/root.pem");
    if (!fresh) return std::unexpected(fresh.error());
    std::ranges::replace(ids, old->id, fresh->id);
    return put_root(p, *root, {&*old}, ids);
  }
  if (role != "targets" && role != "snapshot" && role != "timestamp")
    return base::fail(Error::Kind::unsupported, "no such role: " + role);
  if (auto done = make_key(p.keys, role + ".pem"); !done) return done;
  if (auto done = put_root(p, *root, {}, ids); !done) return done;
  if (role == "timestamp") return put_timestamp(p);
  if (role == "snapshot") return put_snapshot(p);
  const auto targets = newest(p, "targets");
  if (!targets) return std::unexpected(targets.error());
  if (auto done = put_next(p, "targets", *targets, 365 * day); !done) return done;
  return put_snapshot(p);
}

}  // namespace update
