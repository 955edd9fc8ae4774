// What the dissectors share: the conversation they read, what they learn, and the one door through which
// facts leave. Inside the folder only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "witness/address.h"
#include "witness/capture.h"
#include "witness/stream.h"

namespace witness {

using base::ByteView;
using Kind = Observation::Kind;

enum class Protocol : std::uint8_t {
#define WITNESS_PROTOCOL(name, text) name,
#include "witness/protocols.def"
#undef WITNESS_PROTOCOL
};
std::string_view to_text(Protocol protocol);

// Unread bytes of one direction (or one datagram) and the frames that they came in.
struct View {
  ByteView bytes;
  struct Mark {
    std::size_t end;  // offset in `bytes`, exclusive
    std::uint64_t frame;
  };
  const std::vector<Mark>* marks = nullptr;
  bool closing = false;     // nothing more will come
  bool gap_before = false;  // bytes are missing right before
  std::uint64_t time = 0;   // nanoseconds
  std::size_t origin = 0;   // where `bytes` begins, in the marks' count

  std::vector<std::uint64_t> frames(std::size_t begin, std::size_t end) const;
};

// What a stream dissector did with a View: `consumed` bytes are gone; it wants `need` bytes before it is
// asked again.
struct Progress {
  std::size_t consumed = 0;
  std::size_t need = 0;
};

// ---- states of stream dissectors ----

struct HttpMessage {  // one direction of HTTP/1
  enum class Part : std::uint8_t { head, sized, chunk_size, chunk, trailer, until_close } part = Part::head;
  std::uint64_t left = 0;
  bool carve = false;
};
struct Carving {  // an object being put together
  base::Bytes bytes;
  std::uint64_t size = 0;
  bool gap = false;
  std::vector<std::uint64_t> frames;
};
struct HttpState {
  HttpMessage side[2];
  Carving body[2];
  std::vector<std::string> asked;  // request targets awaiting their response
  std::vector<std::string> methods;
  std::string body_name[2];
  bool body_encoded[2] = {};
};
struct FtpState {
  std::string user;
  std::string pending_verb, pending_path;
  std::uint64_t pending_port = 0;
  std::string rename;
};
struct FtpDataState {
  std::string path;
  bool to_server = false;
  Carving carving;
};
struct LpdState {
  enum class Part : std::uint8_t { command, sub_command, control, data } part = Part::command;
  std::string queue, host, job;
  std::uint64_t left = 0;
  bool conforms = false;
  std::vector<std::uint64_t> frames;
};
struct Hl7Side {
  bool inside = false;
  bool hunting = false;    // the start of a message may have been lost: a PID segment alone is taken for one
  bool skip_line = false;  // after a gap, up to the next segment
  int strange_lines = 0;
  char field = '|', component = '^';
  std::string type;
};
struct RawState {
  Hl7Side hl7[2];
  Carving carving[2];
  bool carve[2] = {};
  bool begun[2] = {};
  bool patient = false;  // HL7 was seen
};
struct RshState {
  std::string port, user, remote_user, command;
  bool told = false;
};
struct TelnetState {
  std::string line[2];
  bool told = false;
};
struct TlsState {
  base::Bytes handshake[2];  // of a message that spans records
  bool done[2] = {};
};
struct DicomState {
  std::string calling, called;
  bool identity = false;
};
struct MqttState {
  std::string client_id;
  bool told = false;
  int level = 4;
};
struct CmsState {
  std::uint64_t frames = 0;
};
using State = std::variant<std::monostate, HttpState, FtpState, FtpDataState, LpdState, RawState, RshState,
                           TelnetState, TlsState, DicomState, MqttState, CmsState>;

struct Stream {
  Reassembler reassembler;
  base::Bytes pending;            // delivered, not consumed
  std::vector<View::Mark> marks;  // of `pending`
  std::size_t need = 0;
  bool lost = false;  // after a gap, until a message boundary is found
  bool gap = false;   // a gap lies right before the next bytes
  bool closed = false;
  std::string canary_tail;
};

struct Conversation {
  Address client, server;
  std::uint16_t client_port = 0, server_port = 0;
  bool tcp = true;
  Protocol protocol = Protocol::undecided;
  std::uint64_t id = 0;    // unique in the capture
  std::uint64_t held = 0;  // bytes buffered, as last counted
  Stream streams[2];       // 0: what the client sent
  State state;
};

inline constexpr int kFromClient = 0, kFromServer = 1;

// A fact as a dissector tells it; the World adds who, when and where.
struct Fact {
  Kind kind = Kind::connect;
  std::string_view protocol;
  std::string object = {};
  std::string words = {};
  bool secret = false;  // `words` is a patient's data or a credential: masked unless secrets are shown
  bool answered = false;
  std::string data_class = {};
  std::string field = {};
  bool clear = true;
};

struct RpcCall {  // waiting for its reply
  std::uint32_t program = 0, version = 0, procedure = 0;
  std::string object;  // path or share
  std::string handle;  // NFS: of the directory or file
  std::uint64_t offset = 0;
  std::vector<std::uint64_t> frames;
  std::uint64_t time = 0;
  std::vector<std::uint32_t> operations;  // NFSv4 compound
  std::vector<std::string> names;         // by operation
  Address client, server;
  std::uint16_t client_port = 0, server_port = 0;
  bool tcp = false;
};

struct Transfer {  // TFTP, by the ports that carry it
  std::string path;
  bool write = false;
  std::uint16_t server_port = 0;  // 0 until the server answers
  std::uint32_t block_size = 512;
  std::map<std::uint32_t, base::Bytes> blocks;  // 1-based, wraps undone
  std::uint32_t last_block = 0;
  std::uint64_t held = 0;
  bool ended = false;
  std::vector<std::uint64_t> frames;
  Address client, server;
  std::uint16_t client_port = 0;
};

class World {
 public:
  World(const Options& how, Capture& into) : options(how), capture(into) {}

  const Options& options;
  Capture& capture;

  // Records `fact`. `begin` and `end` say which bytes of `view` show it.
  void tell(const Conversation& conversation, const View& view, std::size_t begin, std::size_t end,
            Fact fact);
  void tell(const Conversation& conversation, std::vector<std::uint64_t> frames, std::uint64_t time,
            Fact fact);

  // The object that was carved out of a transfer; tells of code where it is code.
  void object(const Conversation& conversation, std::string name, std::string_view protocol, Carving carving,
              std::uint64_t time, bool partial = false);
  // Adds bytes to a carving within the budgets.
  void carve(Carving& carving, ByteView bytes, const std::vector<std::uint64_t>& frames);

  void doubt(std::string name, std::string where, std::uint64_t frame, std::string detail);

  // Names.
  void learn_name(const Address& asker, const Address& address, std::string_view name);
  void learn_device(const Address& address, std::string_view name, std::string_view mud_url,
                    std::string_view vendor);
  Peer peer_of(const Conversation& conversation, bool& inbound, std::string& device);

  const std::string& text(const Address& address);

  // Shared by dissectors of several packets or connections.
  std::map<std::pair<std::uint64_t, std::uint32_t>, RpcCall> rpc_calls;  // by conversation and transaction
  struct EarlyReply {                                                    // captured before its call
    base::Bytes bytes;
    std::vector<std::uint64_t> frames;
    std::uint64_t time = 0;
  };
  std::map<std::pair<std::uint64_t, std::uint32_t>, EarlyReply> rpc_replies;  // bounded in number and size
  std::unordered_map<std::string, std::string> nfs_paths;                     // server and handle → path
  struct SharedFile {
    Address client, server;
    std::uint16_t server_port = 0;
    bool tcp = false;
    std::uint64_t time = 0;
    Carving carving;
  };
  std::map<std::tuple<Address, Address, std::string>, SharedFile> nfs_files;  // by client, server, path
  std::map<std::pair<Address, std::uint16_t>, std::pair<std::string, bool>>
      ftp_expected;  // listener → verb+path
  std::map<std::pair<Address, std::uint16_t>, std::uint32_t>
      rpc_ports;                                               // announced by a port mapper → program
  std::map<std::pair<Address, std::uint16_t>, Transfer> tftp;  // by the client's port
  std::map<std::pair<Address, std::uint16_t>, std::string>
      served_names;  // server name indication by server and port

  struct DeviceNotes {
    std::vector<std::string> names, mud_urls;
    std::string vendor;
  };
  std::map<Address, DeviceNotes> notes;
  std::map<std::pair<Address, Address>, std::string> names;  // (asker, address) → name
  std::uint64_t carved_bytes = 0;

  void conclude();  // tells what the caps left out

 private:
  struct FactKey {  // of what makes two facts one
    std::uint64_t a = 0, b = 0;
    bool operator==(const FactKey&) const = default;
  };
  struct FactHash {
    std::size_t operator()(const FactKey& key) const { return key.a; }
  };
  static FactKey key_of(const Conversation& conversation, const Fact& fact);
  std::unordered_map<FactKey, std::uint32_t, FactHash> known_;  // → index into Capture::observations
  std::unordered_set<std::string> known_objects_;
  std::uint64_t beyond_cap_ = 0, first_beyond_cap_ = 0;
  std::unordered_map<Address, std::string, AddressHash> texts_;
};

// `value` with all but its first letter hidden: its first character and its length.
std::string masked(std::string_view value);

// The type of a carried object by its first bytes: elf, script, gzip, xz, bzip2, zip, 7z, tar, squashfs,
// cramfs, uimage, ar, cpio, ...; empty when it is none of these.
std::string_view code_type(ByteView bytes);

}  // namespace witness
