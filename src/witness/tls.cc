// TLS handshakes into the name asked for (SNI), the protocols offered (ALPN) and the names in the server's
// certificate. Sources: RFC 8446 4.1.2, RFC 6066 3, RFC 7301; certificates (TLS 1.2 and before) by OpenSSL.
#include <openssl/x509v3.h>

#include <memory>

#include <fmt/format.h>

#include "base/text.h"
#include "witness/dissect.h"

namespace witness {
namespace {

using base::ByteOrder;
using base::ByteReader;

constexpr std::uint8_t kHandshake = 22, kClientHello = 1, kCertificate = 11;
constexpr std::size_t kMaxHandshake = 64u << 10;

std::uint32_t u24(ByteReader& in) { return static_cast<std::uint32_t>(in.u8()) << 16 | in.u16(); }

void read_client_hello(World& world, Conversation& c, const View& view, std::size_t end, ByteView body) {
  ByteReader in(body, ByteOrder::big);
  in.skip(2 + 32);
  in.skip(in.u8());
  in.skip(in.u16());
  in.skip(in.u8());
  const std::uint16_t all = in.u16();
  ByteReader extensions(in.take(std::min<std::uint64_t>(all, in.left())), ByteOrder::big);
  std::string name, alpn;
  while (extensions.ok() && extensions.left() >= 4) {
    const std::uint16_t type = extensions.u16(), size = extensions.u16();
    ByteReader value(extensions.take(size), ByteOrder::big);
    if (type == 0) {
      value.skip(2);
      if (value.u8() == 0) name = base::as_text(value.take(value.u16()));
    } else if (type == 16) {
      value.skip(2);
      while (value.ok() && value.left() > 0) {
        const auto one = base::as_text(value.take(value.u8()));
        if (!one.empty()) alpn += (alpn.empty() ? "" : ",") + std::string(one);
      }
    }
  }
  if (!name.empty() && world.served_names.size() < 100'000)
    world.served_names[{c.server, c.server_port}] = name;
  world.tell(c, view, 0, end,
             {.kind = Kind::connect,
              .protocol = "tls",
              .object = name,
              .words = alpn,
              .answered = true,
              .field = "client-hello",
              .clear = false});
}

void read_certificate(World& world, Conversation& c, const View& view, std::size_t end, ByteView body) {
  ByteReader in(body, ByteOrder::big);
  u24(in);
  const ByteView der = in.take(u24(in));
  if (!in.ok()) return;
  const unsigned char* at = der.data();
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      d2i_X509(nullptr, &at, static_cast<long>(der.size())), X509_free);
  if (!certificate) return;
  std::string names;
  const auto add = [&](std::string_view name) { names += (names.empty() ? "" : ",") + std::string(name); };
  char common[256] = {};
  const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                                               common, sizeof common);
  if (length > 0) add({common, static_cast<std::size_t>(length)});
  auto* alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; alternatives && i < sk_GENERAL_NAME_num(alternatives) && i < 32; ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(alternatives, i);
    if (one->type != GEN_DNS) continue;
    add({reinterpret_cast<const char*>(ASN1_STRING_get0_data(one->d.dNSName)),
         static_cast<std::size_t>(ASN1_STRING_length(one->d.dNSName))});
  }
  GENERAL_NAMES_free(alternatives);
  world.tell(c, view, 0, end,
             {.kind = Kind::connect,
              .protocol = "tls",
              .object = names,
              .answered = true,
              .field = "certificate",
              .clear = false});
}

}  // namespace

Probe probe_tls(ByteView bytes) {
  if (!bytes.empty() && bytes[0] != kHandshake) return Probe::no;
  if (bytes.size() >= 2 && bytes[1] != 3) return Probe::no;
  if (bytes.size() >= 3 && bytes[2] > 4) return Probe::no;
  if (bytes.size() < 6) return Probe::maybe;
  return bytes[5] == 1 || bytes[5] == 2 ? Probe::yes : Probe::no;
}

Progress read_tls(World& world, Conversation& c, int direction, const View& view) {
  TlsState& state = std::get<TlsState>(c.state);
  if (state.done[direction] || view.gap_before) {
    state.done[direction] = true;
    return {view.bytes.size(), 0};
  }
  if (view.bytes.size() < 5) return {0, 5};
  const std::size_t size = 5u + *base::load_be16(view.bytes, 3);
  if (view.bytes[0] != kHandshake) {  // from here on it is encrypted, or an alert
    state.done[direction] = true;
    return {view.bytes.size(), 0};
  }
  if (view.bytes.size() < size && !view.closing) return {0, size};
  base::Bytes& held = state.handshake[direction];
  const ByteView part = base::clipped(view.bytes, 5, size - 5);
  held.insert(held.end(), part.begin(), part.end());
  const std::size_t end = std::min(size, view.bytes.size());
  std::size_t at = 0;
  while (held.size() - at >= 4) {
    const std::uint32_t length = *base::load_be32(held, at) & 0xFFFFFF;
    if (length > kMaxHandshake) {
      state.done[direction] = true;
      break;
    }
    if (held.size() - at - 4 < length && !view.closing) break;
    const ByteView body = base::clipped(held, at + 4, length);
    if (held[at] == kClientHello) read_client_hello(world, c, view, end, body);
    if (held[at] == kCertificate) read_certificate(world, c, view, end, body);
    at += 4 + body.size();
  }
  held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(at));
  return {end, 0};
}

}  // namespace witness
