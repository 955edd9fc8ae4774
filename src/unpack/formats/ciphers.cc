// Images that makers encrypt or disguise under keys that have been published: Buffalo, D-Link (encrpted_img and Alpha Networks'
// encimg), EnGenius, QNAP, Instar. The key tells nothing of who made an image: it is the same for all of a product's devices.
#include <archive.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include <fmt/format.h>

#include "base/escape.h"
#include "unpack/format.h"
#include "unpack/formats/archive_reader.h"
#include "unpack/formats/names.h"

namespace unpack {
namespace {

using base::ByteOrder;
using base::ByteReader;
using base::Bytes;
using base::ByteView;
using base::Error;

Chunk sized(ByteView blob, std::uint64_t at, std::uint64_t size, std::string note) {
  Chunk chunk;
  chunk.offset = at;
  chunk.size = size;
  chunk.note = std::move(note);
  clip_to_blob(chunk, blob);
  return chunk;
}

// AES-256-CBC without padding over whole blocks; what is left over stays out.
Bytes decrypt_aes256(ByteView packed, ByteView key, ByteView vector) {
  const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  packed = packed.first(std::min<std::size_t>(packed.size() & ~std::size_t{15}, std::size_t{1} << 30));
  Bytes out(packed.size() + 16);
  int made = 0;
  if (!context || EVP_DecryptInit_ex(context.get(), EVP_aes_256_cbc(), nullptr, key.data(), vector.data()) != 1) return {};
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  if (EVP_DecryptUpdate(context.get(), out.data(), &made, packed.data(), static_cast<int>(packed.size())) != 1) return {};
  out.resize(static_cast<std::size_t>(made));
  return out;
}

// --- Buffalo: RC4 over a seed and a key; OpenWrt firmware-utils, src/buffalo-lib.c ----------------------------------------
// "bgn", 0 (9 bytes), length of all; then "start", a seed, and three fields of length and bytes: product, version, contents.
// Each field's seed is the first encrypted byte of the field before.

constexpr std::string_view kBuffaloKey = "Buffalo";
constexpr std::uint64_t kBuffaloHeader = 20;

Bytes decrypt_buffalo(std::uint8_t seed, ByteView packed) {
  std::array<std::uint8_t, kBuffaloKey.size() + 1> key{seed};
  std::copy(kBuffaloKey.begin(), kBuffaloKey.end(), key.begin() + 1);
  std::array<std::uint8_t, 256> state{};
  std::iota(state.begin(), state.end(), std::uint8_t{0});
  std::uint8_t j = 0;
  for (std::size_t i = 0; i < state.size(); ++i) {
    j = static_cast<std::uint8_t>(j + key[i % key.size()] + state[i]);
    std::swap(state[i], state[j]);
  }
  Bytes out(packed.size());
  std::uint8_t i = 0;
  j = 0;
  for (std::size_t at = 0; at < packed.size(); ++at) {
    i = static_cast<std::uint8_t>(i + 1);
    j = static_cast<std::uint8_t>(j + state[i]);
    std::swap(state[i], state[j]);
    out[at] = packed[at] ^ state[static_cast<std::uint8_t>(state[i] + state[j])];
  }
  return out;
}

struct BuffaloFields {
  std::uint8_t seed = 0;
  ByteView product, version, contents;
  std::uint64_t end = 0;
};

std::optional<BuffaloFields> read_buffalo(ByteView from) {
  ByteReader r(base::clipped(from, kBuffaloHeader), ByteOrder::big);
  BuffaloFields out;
  if (r.fixed_text(6) != "start") return std::nullopt;
  out.seed = r.u8();
  out.product = r.take(r.u32());
  out.version = r.take(r.u32());
  out.contents = r.take(r.u32());
  r.u32();  // checksum
  if (!r.ok() || out.product.empty() || out.version.empty()) return std::nullopt;
  out.end = kBuffaloHeader + r.offset();
  return out;
}

std::optional<Chunk> measure_buffalo(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  const auto fields = read_buffalo(from);
  const auto length = base::load_be32(from, 12);
  if (!fields || fields->product.size() > 256 || fields->version.size() > 256) return std::nullopt;
  const Bytes product = decrypt_buffalo(fields->seed, fields->product);
  const std::string_view name = base::as_text(product);
  return sized(blob, at, length && *length >= fields->end ? *length : fields->end, base::escape_bytes(name.substr(0, name.find('\0'))));
}

base::Result<void> extract_buffalo(ByteView blob, const Chunk& chunk, Sink& sink) {
  const auto fields = read_buffalo(blob.subspan(chunk.offset, chunk.size));
  if (!fields) return base::fail(Error::Kind::damaged, "the fields lead beyond the end");
  sink.blob("decrypted", decrypt_buffalo(fields->version[0], fields->contents));
  return {};
}

// --- D-Link encrpted_img: AES-256-CBC; the first 16 bytes of each 128 KiB are those of a UBI block -----------------------

constexpr std::string_view kEncrptedKey = "he9-4+M!)d6=m~we1,q2a3d1n&2*Z^%8", kEncrptedVector = "J%1iQl8$=lm-;8AE";
constexpr std::array<std::uint8_t, 16> kUbiHead = {0x55, 0x42, 0x49, 0x23, 0x01};
constexpr std::uint64_t kEncrptedStep = 128 << 10;

std::optional<Chunk> measure_encrpted(ByteView blob, std::uint64_t at) {
  const auto length = base::load_be32(blob, at + 12);
  if (!length || *length < 16) return std::nullopt;
  return sized(blob, at, 16 + std::uint64_t{*length}, "AES-256-CBC, key shared by all devices");
}

base::Result<void> extract_encrpted(ByteView blob, const Chunk& chunk, Sink& sink) {
  Bytes plain = decrypt_aes256(blob.subspan(chunk.offset, chunk.size).subspan(16), base::as_bytes(kEncrptedKey), base::as_bytes(kEncrptedVector));
  for (std::uint64_t at = 0; at + kUbiHead.size() <= plain.size(); at += kEncrptedStep)
    std::copy(kUbiHead.begin(), kUbiHead.end(), plain.begin() + static_cast<std::ptrdiff_t>(at));
  sink.blob("decrypted", plain);
  return {};
}

// --- Alpha Networks encimg (D-Link): AES-256-CBC; key and vector are mangled with the product's signature -----------------
// The image's own first 128 bytes (magic 5EA3A417, "signature=") are encrypted as well: the first 16 tell the product.

struct AlphaProduct {
  std::string_view begins;  // the first four encrypted bytes
  std::string_view signature, key, vector;
};

constexpr AlphaProduct kAlpha[] = {
    {"\x35\x66\x6f\x68", "wapac25_dlink.2015_dap1665", "EfCHXytwsC6F0zsedwZc+9vDbCjE3ge4", "ggPy917jwESpnfXm"},
    {"\x68\x01\xcc\xfb", "wapac28_dlink.2015_dap1720", "qBiz6o/1RVQTtJBd3FS7FDbqogE8yoBm", "EfDMqWWxHCOhEqgY"},
    {"\xdf\x8c\x39\x0d", "wrgac43s_dlink.2015_dir822c1", "KNpsEntCcsep1jdFIs3wnXySKRGNCGmf", "uph587JdKHrtAUlr"},
    {"\xf5\x2a\xa0\xb4", "wrgac65_dlink.2015_dir842", "xQYoRZeD726UAbRb846kO7TeNw8eZa6u", "zufEbNF3kUafxFiE"},
    {std::string_view("\x21\xdd\xda\x00", 4), "wrgac65_dlink.2015_dir842EU", "xQYoRZeD726UAbRb846kO7TeNw8eZa6u", "zufEbNF3kUafxFiE"},
    {std::string_view("\xe3\x13\x00\x5b", 4), "wrgac05_dlob.hans_dir850l", "BIuS1CVMEQG+0pUeE99jnR+vLlLd9unr", "f3+odwHhmJL1ceW1"},
    {"\x0a\x14\xe4\x24", "wrgac25_dlink.2013gui_dir850l", "qQehHMEmEPQ5izL+cabn8bNHZXHjkp6W", "Mmb+IKQgnO8OuF4b"},
    {"\x4c\x1b\x95\xaf", "wrgac37_dlink.2013gui_dir859", "KY0H9R2PDL3eu1J4uCVd1CK7BJ7vF1kc", "qbStAzIRvWeQHz5U"},
};

Bytes mangled(std::string_view signature, std::string_view secret) {
  Bytes out;
  for (std::size_t i = 0; i < secret.size(); ++i)
    out.push_back(static_cast<std::uint8_t>(secret[i] ^ static_cast<char>((i + 1) % 0xFC) ^ signature[i % signature.size()]));
  return out;
}

// The decrypted start: magic, length of the signature, 0, signature, magic, length, size of the contents. Nothing: no such image.
std::optional<std::uint64_t> alpha_size(ByteView plain, const AlphaProduct& product) {
  ByteReader r(plain, ByteOrder::big);
  const std::uint32_t magic = r.u32(), length = r.u32();
  r.u32();
  if (magic != 0x5EA3A417U || length > 80) return std::nullopt;
  const std::string_view signature = base::as_text(r.take(length));
  r.skip(8);
  const std::uint64_t size = r.u32();
  if (!r.ok() || !signature.starts_with("signature=") || !signature.substr(10).starts_with(product.signature)) return std::nullopt;
  return size;
}

const AlphaProduct* alpha_product(ByteView from) {
  for (const auto& product : kAlpha)
    if (base::as_text(base::clipped(from, 0, 4)) == product.begins) return &product;
  return nullptr;
}

Bytes decrypt_alpha(ByteView packed, const AlphaProduct& product) {
  return decrypt_aes256(packed, mangled(product.signature, product.key), mangled(product.signature, product.vector));
}

std::optional<Chunk> measure_alpha(ByteView blob, std::uint64_t at) {
  const AlphaProduct* product = alpha_product(base::clipped(blob, at));
  if (!product) return std::nullopt;
  const auto size = alpha_size(decrypt_alpha(base::clipped(blob, at, 128), *product), *product);
  if (!size || *size == 0) return std::nullopt;
  return sized(blob, at, 128 + *size, fmt::format("AES-256-CBC, key of {}", product->signature));
}

base::Result<void> extract_alpha(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  if (const AlphaProduct* product = alpha_product(from)) sink.blob("decrypted", decrypt_alpha(from, *product));
  return {};
}

// --- EnGenius: a header, then bytes under a repeating exclusive-or whose key shows where the contents are zero -----------

constexpr std::array<std::uint8_t, 8> kEngeniusKey = {0xAC, 0x78, 0x3C, 0x9E, 0xCF, 0x67, 0xB3, 0x59};

std::uint64_t engenius_header(ByteView from) { return 136 + std::uint64_t{base::load_be32(from, 132).value_or(0)}; }

std::optional<Chunk> measure_engenius(ByteView blob, std::uint64_t at) {
  const ByteView from = base::clipped(blob, at);
  const auto length = base::load_be32(from, 32);
  const std::uint64_t header = engenius_header(from);
  if (!length || header < 136 || header > 512 || *length <= header) return std::nullopt;
  return sized(blob, at, header + *length, "exclusive-or with a key of 8 bytes");
}

base::Result<void> extract_engenius(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size), body = base::clipped(from, engenius_header(from));
  const auto shown = std::search(body.begin(), body.end(), kEngeniusKey.begin(), kEngeniusKey.end());
  const std::uint64_t phase = shown == body.end() ? 0 : static_cast<std::uint64_t>(shown - body.begin()) % 8;
  if (shown == body.end()) sink.doubt("key-not-confirmed", chunk.offset, "the key shows nowhere in the contents");
  Bytes plain(body.begin(), body.end());
  for (std::uint64_t i = 0; i < plain.size(); ++i) plain[i] ^= kEngeniusKey[(i + 8 - phase) % 8];
  sink.blob("decrypted", plain);
  return {};
}

// --- QNAP: the PC1 cipher over the first bytes; a footer of 74 bytes says how many -----------------------------------------
// Footer: "icpnas", length (u32), device[16], version[16], date[16], revision[16]. The key is "QNAPNASVERSION" and the
// version's first digit, or the device's name where the device is no NAS.

constexpr std::uint64_t kQnapFooter = 74;

class Pc1 {  // Pukall Cipher 1, as QNAP's own tool has it
 public:
  explicit Pc1(std::string_view key) : key_(key), words_(key.size() / 2) {}

  std::uint8_t decrypt(std::uint8_t byte) {
    const std::uint8_t plain = byte ^ next();
    for (char& c : key_) c = static_cast<char>(c ^ static_cast<char>(plain));
    return plain;
  }

 private:
  // Characters with the top bit count as 0x101 less, as a signed char with a borrow does.
  static std::uint32_t signed_char(char c) {
    const auto value = static_cast<std::uint8_t>(c);
    return value < 0x80 ? value : value - 0x101U;
  }

  std::uint8_t next() {
    std::uint32_t seed = 0, mixed = 0;
    for (std::size_t i = 0; i < words_; ++i) {
      const std::uint32_t word = (signed_char(key_[2 * i]) << 8) + static_cast<std::uint8_t>(key_[2 * i + 1]);
      const std::uint32_t x = seed ^ word, before = sum_;
      const std::uint32_t step = (0x4E35U * x + 1) & 0xFFFF;
      sum_ = (0x15AU * x) & 0xFFFF;
      count_ = (sum_ + before + 0x4E35U * (count_ + static_cast<std::uint32_t>(i))) & 0xFFFF;
      seed = step;
      mixed ^= step ^ count_;
    }
    return static_cast<std::uint8_t>((mixed >> 8) ^ mixed);
  }

  std::string key_;
  std::size_t words_;
  std::uint32_t sum_ = 0, count_ = 0;
};

struct QnapFooter {
  std::uint64_t encrypted = 0;
  std::string device, version;
};

std::optional<QnapFooter> read_qnap(ByteView blob) {
  if (blob.size() <= kQnapFooter) return std::nullopt;
  ByteReader r(blob.last(kQnapFooter));
  if (r.fixed_text(6) != "icpnas") return std::nullopt;
  QnapFooter out;
  out.encrypted = r.u32();
  out.device = r.fixed_text(16);
  out.version = r.fixed_text(16);
  if (out.encrypted == 0 || out.encrypted > blob.size() - kQnapFooter || out.version.empty() || out.device.empty()) return std::nullopt;
  return out;
}

std::optional<Chunk> measure_qnap(ByteView blob, std::uint64_t at) {
  const auto footer = at == 0 ? read_qnap(blob) : std::nullopt;
  if (!footer) return std::nullopt;
  return sized(blob, 0, blob.size(), fmt::format("PC1, {} {}", base::escape_bytes(footer->device), base::escape_bytes(footer->version)));
}

base::Result<void> extract_qnap(ByteView blob, const Chunk&, Sink& sink) {
  const auto footer = read_qnap(blob);
  if (!footer) return base::fail(Error::Kind::damaged, "the footer contradicts itself");
  const bool nas = footer->device.starts_with("QNAPNAS") || footer->device.starts_with("qnapnas");
  std::string key = nas ? std::string("QNAPNASVERSION") + footer->version[0] : footer->device;
  if (key.size() / 2 % 2 == 0) key += '\0';
  Pc1 cipher(key);
  Bytes plain(blob.begin(), blob.end() - static_cast<std::ptrdiff_t>(kQnapFooter));
  for (std::uint64_t i = 0; i < footer->encrypted; ++i) plain[i] = cipher.decrypt(plain[i]);
  sink.blob("decrypted", plain);
  return {};
}

// --- Instar HD: a zip whose record marks are turned ----------------------------------------------------------------------

constexpr std::pair<std::string_view, std::uint8_t> kInstarMarks[] = {{"PK\x03\x07", 0x04}, {"PK\x05\x09", 0x06}, {"PK\x01\x08", 0x02}};

std::optional<Chunk> measure_instar(ByteView blob, std::uint64_t at) {
  const auto end = base::as_text(blob).find("PK\x05\x09", at);
  const auto comment = end == std::string_view::npos ? std::nullopt : base::load_le16(blob, end + 20);
  if (!comment) return std::nullopt;
  return sized(blob, at, end + 22 + *comment - at, "zip with turned marks");
}

base::Result<void> extract_instar(ByteView blob, const Chunk& chunk, Sink& sink) {
  const ByteView from = blob.subspan(chunk.offset, chunk.size);
  Bytes zip(from.begin(), from.end());
  for (const auto& [mark, real] : kInstarMarks)
    for (auto at = base::as_text(from).find(mark); at != std::string_view::npos; at = base::as_text(from).find(mark, at + 4)) zip[at + 3] = real;
  return read_archive(zip, chunk.offset, [](archive* reader) { archive_read_support_format_zip(reader); }, sink);
}

}  // namespace

const Format buffalo_format = {.name = "buffalo", .title = "Buffalo (encrypted)", .reference = "OpenWrt firmware-utils, src/buffalo-lib.c", .limits = "checksums are not checked; the long state is not used",
                               .kind = Format::Kind::archive, .magics = {{{{"bgn\0", 4}}}}, .measure = measure_buffalo, .extract = extract_buffalo};
const Format encrpted_format = {.name = "dlink-encrpted", .title = "D-Link encrpted_img", .reference = "ONEKEY, Extracting decryption keys for D-Link", .limits = "the one published key",
                                .kind = Format::Kind::archive, .magics = {{{"encrpted_img"}}}, .measure = measure_encrpted, .extract = extract_encrpted};
const Format alpha_format = {.name = "alpha-encimg", .title = "Alpha Networks encimg (D-Link)", .reference = "delink, src/encimg.rs", .limits = "the eight products whose keys are published; not the WRGG03 variant",
                             .kind = Format::Kind::archive,
                             .magics = {{{kAlpha[0].begins}, {kAlpha[1].begins}, {kAlpha[2].begins}, {kAlpha[3].begins}, {kAlpha[4].begins}, {kAlpha[5].begins}, {kAlpha[6].begins}, {kAlpha[7].begins}}},
                             .measure = measure_alpha, .extract = extract_alpha};
const Format engenius_format = {.name = "engenius", .title = "EnGenius", .reference = "enfringement (A. Fumagalli)", .limits = "one key; not every version", .kind = Format::Kind::archive,
                                .magics = {{{"\x12\x34\x56\x78" "all", 0x5C}}}, .measure = measure_engenius, .extract = extract_engenius};
const Format qnap_format = {.name = "qnap", .title = "QNAP (encrypted)", .reference = "Pukall Cipher 1; qnap-qts-fw-cryptor", .limits = "a whole file only: the footer is looked for at its end", .kind = Format::Kind::archive,
                            .measure = measure_qnap, .extract = extract_qnap, .probe = true};
const Format instar_format = {.name = "instar-hd", .title = "Instar HD (zip in disguise)", .reference = "PKWARE APPNOTE 6.3.10; other last bytes of the marks", .limits = "",
                              .kind = Format::Kind::archive, .magics = {{{"PK\x03\x07"}}}, .measure = measure_instar, .extract = extract_instar};

}  // namespace unpack
