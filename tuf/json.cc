#include "tuf/json.h"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace tuf {
namespace {

// Looks at a document before any value is built from it, and says why it is not acceptable.
struct Gate {
  std::vector<std::set<std::string>> members;  // one set an open object, an empty one an open array
  std::string refusal;

  bool refuse(std::string why) {
    refusal = std::move(why);
    return false;
  }
  bool open() {
    if (members.size() >= json_depth_limit) return refuse("nested too deeply");
    members.emplace_back();
    return true;
  }
  bool close() {
    members.pop_back();
    return true;
  }

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(Json::number_integer_t) { return true; }
  bool number_unsigned(Json::number_unsigned_t) { return true; }
  bool number_float(Json::number_float_t, const std::string&) {
    return refuse("a number that is not a whole 64-bit number");
  }
  bool string(std::string&) { return true; }
  bool binary(Json::binary_t&) { return refuse("binary value"); }
  bool start_object(std::size_t) { return open(); }
  bool start_array(std::size_t) { return open(); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    if (!members.back().insert(name).second) return refuse("a member is named twice in one object");
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const Json::exception&) {
    return refuse(fmt::format("not JSON at byte {}", at));
  }
};

void write_string(const std::string& text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

void write(const Json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [name, member] :
         value.items()) {  // std::map: sorted by UTF-8 bytes, which is by code point
      if (!first) out += ',';
      first = false;
      write_string(name, out);
      out += ':';
      write(member, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ',';
      write(value[i], out);
    }
    out += ']';
  } else if (value.is_string()) {
    write_string(value.get_ref<const std::string&>(), out);
  } else {
    out += value.dump();  // true, false, null, whole numbers
  }
}

}  // namespace

Result<Json> parse_json(std::string_view bytes) {
  Gate gate;
  if (!Json::sax_parse(bytes.begin(), bytes.end(), &gate)) return fail(Error::Kind::malformed, gate.refusal);
  Json value = Json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (value.is_discarded()) return fail(Error::Kind::malformed, "not JSON");
  return value;
}

std::string canonical_json(const Json& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace tuf
