// ONC RPC: port mapper, MOUNT and NFS calls and replies, into shares mounted, paths walked and bytes read.
// Sources: RFC 5531 (RPC, record marking), RFC 4506 (XDR), RFC 1833 (port mapper, rpcbind), RFC 1094 (NFS v2,
// MOUNT v1), RFC 1813 (NFS v3, MOUNT v3), RFC 7530 and RFC 8881 (NFS v4).
#include <algorithm>

#include <fmt/format.h>

#include "witness/dissect.h"

namespace witness {
namespace {

using base::ByteOrder;
using base::ByteReader;

constexpr std::uint32_t kPortmap = 100000, kNfs = 100003, kMount = 100005;
constexpr std::uint32_t kCall = 0, kReply = 1, kRpcVersion = 2;
constexpr std::uint32_t kLastFragment = 0x80000000u;
constexpr std::uint32_t kMaxRecord = 4u << 20;
constexpr std::size_t kMaxCalls = 65536;
constexpr std::size_t kMaxEarly = 256, kMaxEarlyBytes = 64u << 10;
constexpr std::size_t kMaxHandles = 200'000;
constexpr std::uint32_t kMaxOperations = 128;

// XDR variable-length opaque, padded to four bytes.
ByteView opaque(ByteReader& in, std::uint32_t most = kMaxRecord) {
  const std::uint32_t size = in.u32();
  if (size > most) {
    in.skip(~std::uint64_t{0});
    return {};
  }
  const ByteView out = in.take(size);
  if (in.ok()) in.skip(std::min<std::uint64_t>((4 - size % 4) % 4, in.left()));
  return out;
}
std::string name_of(ByteReader& in) { return std::string(base::as_text(opaque(in, 4096))); }
std::string handle_of(ByteReader& in) { return std::string(base::as_text(opaque(in, 128))); }
std::string fixed_handle(ByteReader& in) { return std::string(base::as_text(in.take(32))); }

std::string program_name(std::uint32_t program) {
  switch (program) {
    case kPortmap:
      return "portmap";
    case kNfs:
      return "nfs";
    case kMount:
      return "mount";
    case 100021:
      return "nlockmgr";
    case 100024:
      return "status";
    case 100232:
      return "sadmind";
    default:
      return fmt::format("program {}", program);
  }
}

std::string handle_key(const Address& server, std::string_view handle) {
  return std::string(base::as_text(server.bytes)) + std::string(handle);
}
std::string path_of(World& world, const Address& server, std::string_view handle) {
  const auto known = world.nfs_paths.find(handle_key(server, handle));
  if (known != world.nfs_paths.end()) return known->second;
  std::string hex;
  for (const char c : handle.substr(handle.size() - std::min<std::size_t>(handle.size(), 6)))
    hex += fmt::format("{:02x}", static_cast<std::uint8_t>(c));
  return "(handle …" + hex + ")";
}
void learn_path(World& world, const Address& server, std::string_view handle, std::string path) {
  if (handle.empty() || path.size() > 4096) return;
  if (world.nfs_paths.size() < kMaxHandles) world.nfs_paths[handle_key(server, handle)] = std::move(path);
}
std::string join_path(std::string_view directory, std::string_view name) {
  std::string out(directory);
  if (out.empty() || out.back() != '/') out += '/';
  return out += name;
}

std::string nfs_protocol(const RpcCall& call) { return fmt::format("nfs{}", call.version); }

void add_to_file(World& world, const Conversation& c, const View& view, const std::string& path,
                 std::uint64_t offset, ByteView data) {
  if (world.nfs_files.size() > 4096 && !world.nfs_files.contains({c.client, c.server, path})) return;
  World::SharedFile& shared = world.nfs_files[{c.client, c.server, path}];
  if (shared.carving.size == 0) shared = {c.client, c.server, c.server_port, c.tcp, view.time, {}};
  Carving& file = shared.carving;
  if (offset > file.size) file.gap = true;
  if (offset + data.size() <= file.size) return;  // read again
  if (offset < file.size) data = data.subspan(file.size - offset);
  world.carve(file, data, view.frames(0, view.bytes.size()));
}

// ---- calls ----

void read_mount_call(ByteReader& in, RpcCall& call) {
  if (call.procedure == 1 || call.procedure == 3) call.object = name_of(in);
}

void read_portmap_call(ByteReader& in, RpcCall& call) {
  if (call.version == 2 && call.procedure == 3) {
    const std::uint32_t program = in.u32(), version = in.u32(), protocol = in.u32();
    call.object = fmt::format("{} v{} {}", program_name(program), version,
                              protocol == 6    ? "tcp"
                              : protocol == 17 ? "udp"
                                               : "?");
    call.offset = program;
  } else if (call.version >= 3 && call.procedure == 3) {
    const std::uint32_t program = in.u32(), version = in.u32();
    call.object = fmt::format("{} v{} {}", program_name(program), version, name_of(in));
    call.offset = program;
  }
}

void read_nfs2_call(World& world, const Conversation& c, const View& view, ByteReader& in, RpcCall& call) {
  if (call.procedure == 0) return;
  call.handle = fixed_handle(in);
  const std::string path = path_of(world, c.server, call.handle);
  switch (call.procedure) {
    case 4:
    case 9:
    case 10:
    case 14:
    case 15:  // LOOKUP, CREATE, REMOVE, MKDIR, RMDIR
    case 13:  // SYMLINK
      call.object = join_path(path, name_of(in));
      break;
    case 11: {  // RENAME: from here, to there
      const std::string from = join_path(path, name_of(in));
      const std::string to = path_of(world, c.server, fixed_handle(in));
      call.object = from + " -> " + join_path(to, name_of(in));
      break;
    }
    case 12: {  // LINK: a new name of this file
      const std::string directory = path_of(world, c.server, fixed_handle(in));
      call.object = path + " -> " + join_path(directory, name_of(in));
      break;
    }
    case 6:
      call.offset = in.u32();
      call.object = path;
      break;
    case 8: {
      in.u32();
      call.offset = in.u32();
      in.u32();
      call.object = path;
      add_to_file(world, c, view, path, call.offset, opaque(in));
      break;
    }
    default:
      call.object = path;
  }
}

void read_nfs3_call(World& world, const Conversation& c, const View& view, ByteReader& in, RpcCall& call) {
  if (call.procedure == 0) return;
  call.handle = handle_of(in);
  const std::string path = path_of(world, c.server, call.handle);
  switch (call.procedure) {
    case 3:
    case 8:
    case 9:
    case 10:
    case 12:
    case 13:  // LOOKUP, CREATE, MKDIR, SYMLINK, REMOVE, RMDIR
      call.object = join_path(path, name_of(in));
      break;
    case 6:
      call.offset = in.u64();
      call.object = path;
      break;
    case 15: {  // LINK: a new name of this file
      const std::string directory = path_of(world, c.server, handle_of(in));
      call.object = path + " -> " + join_path(directory, name_of(in));
      break;
    }
    case 14: {  // RENAME: from here, to there
      const std::string from = join_path(path, name_of(in));
      const std::string to = path_of(world, c.server, handle_of(in));
      call.object = from + " -> " + join_path(to, name_of(in));
      break;
    }
    case 7:
      call.offset = in.u64();
      in.u32();
      in.u32();
      call.object = path;
      add_to_file(world, c, view, path, call.offset, opaque(in));
      break;
    default:
      call.object = path;
  }
}

void skip_bitmap(ByteReader& in) { in.skip(4ull * std::min<std::uint32_t>(in.u32(), 64)); }
void skip_attributes(ByteReader& in) {
  skip_bitmap(in);
  opaque(in);
}

// The name that OPEN (RFC 8881 18.16) opens; sets `name` where the claim carries one.
bool read_open(ByteReader& in, std::string& name) {
  in.skip(12);  // sequence, access, deny
  in.skip(8);
  opaque(in, 1024);
  if (in.u32() == 1) {
    const std::uint32_t mode = in.u32();
    if (mode == 2 || mode == 3) in.skip(8);
    if (mode != 2) skip_attributes(in);
  }
  const std::uint32_t claim = in.u32();
  if (claim == 0 || claim == 3)
    name = name_of(in);
  else if (claim == 1)
    in.u32();
  else if (claim == 2) {
    in.skip(16);
    name = name_of(in);
  } else if (claim == 5)
    in.skip(16);
  return in.ok();
}

// Steps over the arguments of one NFSv4 operation; `path` follows the current file handle. False: unknown
// operation.
bool step_operation(World& world, const Conversation& c, const View& view, std::uint32_t operation,
                    ByteReader& in, std::string& path, RpcCall& call) {
  switch (operation) {
    case 3:
      in.u32();
      return true;  // ACCESS
    case 4:
      in.skip(20);
      return true;  // CLOSE
    case 9:
      skip_bitmap(in);
      return true;  // GETATTR
    case 10:
    case 16:
    case 23:
    case 31:
    case 32:
      return true;  // GETFH, LOOKUPP, PUTPUBFH, RESTOREFH, SAVEFH
    case 11:
    case 28:
    case 33:  // LINK, REMOVE, SECINFO
      call.object = join_path(path, name_of(in));
      return true;
    case 15:
      path = join_path(path, name_of(in));
      return true;  // LOOKUP
    case 18: {      // OPEN
      std::string name;
      if (!read_open(in, name)) return false;
      if (!name.empty()) path = join_path(path, name);
      return true;
    }
    case 22:
      path = path_of(world, c.server, handle_of(in));
      return true;  // PUTFH
    case 24:
      path = "/";
      return true;  // PUTROOTFH
    case 25:        // READ
      in.skip(16);
      call.offset = in.u64();
      in.u32();
      return true;
    case 26:
      in.skip(24);
      skip_bitmap(in);
      return true;  // READDIR
    case 30:
      in.skip(8);
      return true;  // RENEW
    case 34:
      in.skip(16);
      skip_attributes(in);
      return true;  // SETATTR
    case 38: {      // WRITE
      in.skip(16);
      const std::uint64_t offset = in.u64();
      in.u32();
      const ByteView data = opaque(in);
      if (in.ok()) add_to_file(world, c, view, path, offset, data);
      return true;
    }
    case 52:
      in.u32();
      return true;  // SECINFO_NO_NAME
    case 53:
      in.skip(32);
      return true;  // SEQUENCE
    case 58:
      in.u32();
      return true;  // RECLAIM_COMPLETE
    default:
      return false;
  }
}

void read_nfs4_call(World& world, const Conversation& c, const View& view, ByteReader& in, RpcCall& call) {
  if (call.procedure != 1) return;
  opaque(in, 4096);
  in.u32();
  const std::uint32_t count = std::min(in.u32(), kMaxOperations);
  std::string path = "/";
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const std::uint32_t operation = in.u32();
    if (!in.ok() || !step_operation(world, c, view, operation, in, path, call)) break;
    call.operations.push_back(operation);
    call.names.push_back(path);
  }
  if (call.object.empty()) call.object = path;
}

// ---- replies ----

// The port that a program listens on; 0 when it is not registered or the reply is damaged.
std::uint32_t read_portmap_reply(World& world, ByteReader& in, const RpcCall& call) {
  if (call.procedure != 3) return 0;
  std::uint32_t port = 0;
  if (call.version == 2) {
    port = in.u32();
  } else {
    unsigned high = 0, low = 0, dots = 0;  // universal address: a.b.c.d.high.low
    for (const char c : name_of(in)) {
      if (c == '.') {
        ++dots;
        high = dots == 5 ? low : high;
        low = 0;
      } else if (c >= '0' && c <= '9' && low < 256) {
        low = low * 10 + static_cast<unsigned>(c - '0');
      }
    }
    port = dots >= 5 ? high * 256 + low : 0;
  }
  if (!in.ok() || port > 65535) return 0;
  if (port > 0 && world.rpc_ports.size() < 65536)
    world.rpc_ports[{call.server, static_cast<std::uint16_t>(port)}] =
        static_cast<std::uint32_t>(call.offset);
  return port;
}

// What the read of a directory or file is told as.
void tell_share(World& world, const Conversation& c, const View& view, const RpcCall& call, Kind kind,
                std::string object, std::string words) {
  std::vector<std::uint64_t> frames = call.frames;
  for (const std::uint64_t frame : view.frames(0, view.bytes.size())) frames.push_back(frame);
  world.tell(c, std::move(frames), call.time,
             {.kind = kind,
              .protocol = call.program == kMount ? "mount" : nfs_protocol(call),
              .object = std::move(object),
              .words = std::move(words),
              .answered = true});
}

void read_mount_reply(World& world, const Conversation& c, const View& view, ByteReader& in,
                      const RpcCall& call) {
  const std::uint32_t status = in.u32();
  std::string words = status == 0 ? "mounted" : fmt::format("refused, status {}", status);
  if (!in.ok()) words = "reply cut";
  tell_share(world, c, view, call, Kind::mount_remote, call.object, std::move(words));
  if (status != 0 || !in.ok()) return;
  learn_path(world, c.server, call.version >= 3 ? handle_of(in) : fixed_handle(in), call.object);
}

void read_nfs2_reply(World& world, const Conversation& c, const View& view, ByteReader& in,
                     const RpcCall& call) {
  if (call.procedure == 0 || in.u32() != 0) return;
  if (call.procedure == 4 || call.procedure == 9 || call.procedure == 14) {
    learn_path(world, c.server, fixed_handle(in), call.object);
  } else if (call.procedure == 6) {
    in.skip(68);
    const ByteView data = opaque(in);
    if (in.ok()) add_to_file(world, c, view, call.object, call.offset, data);
  }
}

void skip_post_attributes(ByteReader& in) {
  if (in.u32() == 1) in.skip(84);
}

void read_nfs3_reply(World& world, const Conversation& c, const View& view, ByteReader& in,
                     const RpcCall& call) {
  if (call.procedure == 0 || in.u32() != 0) return;
  if (call.procedure == 3) {
    learn_path(world, c.server, handle_of(in), call.object);
  } else if (call.procedure == 8 || call.procedure == 9 || call.procedure == 10) {
    if (in.u32() == 1) learn_path(world, c.server, handle_of(in), call.object);
  } else if (call.procedure == 6) {
    skip_post_attributes(in);
    in.skip(8);
    const ByteView data = opaque(in);
    if (in.ok()) add_to_file(world, c, view, call.object, call.offset, data);
  }
}

// Steps over the result of one NFSv4 operation that succeeded. False: not followed further.
bool step_result(World& world, const Conversation& c, const View& view, const RpcCall& call,
                 std::size_t index, ByteReader& in) {
  const std::string& path = call.names[index];
  switch (call.operations[index]) {
    case 3:
      in.skip(8);
      return true;
    case 4:
      in.skip(16);
      return true;
    case 9:
      skip_attributes(in);
      return true;
    case 10:
      learn_path(world, c.server, handle_of(in), path);
      return true;
    case 11:
    case 28:
      in.skip(20);
      return true;
    case 15:
    case 16:
    case 22:
    case 23:
    case 24:
    case 30:
    case 31:
    case 32:
    case 58:
      return true;
    case 18: {
      in.skip(16 + 20 + 4);
      skip_bitmap(in);
      const std::uint32_t delegation = in.u32();
      if (delegation == 0) return true;
      if (delegation == 1 || delegation == 2) {
        in.skip(delegation == 1 ? 20 : 32);
        in.skip(12);
        opaque(in, 4096);
        return true;
      }
      const std::uint32_t why = in.u32();
      if (why == 1 || why == 2) in.u32();
      return true;
    }
    case 25: {
      in.u32();
      const ByteView data = opaque(in);
      if (in.ok()) add_to_file(world, c, view, path, call.offset, data);
      return true;
    }
    case 34:
      skip_bitmap(in);
      return true;
    case 38:
      in.skip(16);
      return true;
    case 53:
      in.skip(36);
      return true;
    default:
      return false;
  }
}

void read_nfs4_reply(World& world, const Conversation& c, const View& view, ByteReader& in,
                     const RpcCall& call) {
  if (call.procedure != 1) return;
  in.u32();
  opaque(in, 4096);
  const std::uint32_t count = std::min(in.u32(), kMaxOperations);
  for (std::uint32_t i = 0; i < count && i < call.operations.size() && in.ok(); ++i) {
    const std::uint32_t operation = in.u32(), status = in.u32();
    if (!in.ok() || operation != call.operations[i] || status != 0) return;
    if (!step_result(world, c, view, call, i, in)) return;
  }
}

void tell_nfs(World& world, const Conversation& c, const View& view, const RpcCall& call) {
  if (call.version == 4) {
    bool told = false;
    for (std::size_t i = 0; i < call.operations.size(); ++i) {
      const std::uint32_t operation = call.operations[i];
      if (operation == 25 || operation == 26 || operation == 18)
        tell_share(world, c, view, call, Kind::share_read, call.names[i],
                   operation == 25   ? "read"
                   : operation == 26 ? "list"
                                     : "open");
      else if (operation == 38 || operation == 28)
        tell_share(world, c, view, call, Kind::share_write, operation == 28 ? call.object : call.names[i],
                   operation == 38 ? "write" : "remove");
      else if (operation == 24)
        tell_share(world, c, view, call, Kind::mount_remote, "/", "root file handle");
      else
        continue;
      told = true;
    }
    if (!told && call.procedure == 1 && !call.object.empty() && call.operations.size() > 1)
      tell_share(world, c, view, call, Kind::share_read, call.object, "attributes");
    return;
  }
  struct Named {
    std::uint32_t version, procedure;
    Kind kind;
    std::string_view words;
  };
  static constexpr Named kNamed[] = {
      {2, 1, Kind::share_read, "attributes"},
      {2, 4, Kind::share_read, "look up"},
      {2, 6, Kind::share_read, "read"},
      {2, 16, Kind::share_read, "list"},
      {2, 8, Kind::share_write, "write"},
      {2, 9, Kind::share_write, "create"},
      {2, 10, Kind::share_write, "remove"},
      {2, 14, Kind::share_write, "make directory"},
      {2, 11, Kind::share_write, "rename"},
      {2, 12, Kind::share_write, "link"},
      {2, 13, Kind::share_write, "make symbolic link"},
      {2, 15, Kind::share_write, "remove directory"},
      {3, 1, Kind::share_read, "attributes"},
      {3, 3, Kind::share_read, "look up"},
      {3, 6, Kind::share_read, "read"},
      {3, 16, Kind::share_read, "list"},
      {3, 17, Kind::share_read, "list"},
      {3, 7, Kind::share_write, "write"},
      {3, 8, Kind::share_write, "create"},
      {3, 9, Kind::share_write, "make directory"},
      {3, 12, Kind::share_write, "remove"},
      {3, 13, Kind::share_write, "remove directory"},
      {3, 10, Kind::share_write, "make symbolic link"},
      {3, 14, Kind::share_write, "rename"},
      {3, 15, Kind::share_write, "link"},
  };
  for (const Named& named : kNamed)
    if (named.version == call.version && named.procedure == call.procedure)
      tell_share(world, c, view, call, named.kind, call.object, std::string(named.words));
}

bool plausible_call(ByteView bytes) {
  return base::load_be32(bytes, 4) == kCall && base::load_be32(bytes, 8) == kRpcVersion &&
         base::load_be32(bytes, 16).value_or(~0u) < 1024;
}

void read_credential(World& world, const Conversation& c, std::uint32_t flavor, ByteView body) {
  if (flavor != 1) return;  // AUTH_SYS
  ByteReader in(body, ByteOrder::big);
  in.u32();
  const std::string machine = name_of(in);
  if (in.ok() && !machine.empty()) world.learn_device(c.client, machine, {}, {});
}

void read_reply(World& world, Conversation& c, const View& view, ByteReader& in, std::uint32_t xid);

bool read_call(World& world, Conversation& c, const View& view, ByteReader& in, std::uint32_t xid) {
  RpcCall call;
  in.u32();
  call.program = in.u32();
  call.version = in.u32();
  call.procedure = in.u32();
  const std::uint32_t flavor = in.u32();
  const ByteView credential = opaque(in, 400);
  in.u32();
  opaque(in, 400);
  if (!in.ok()) return false;
  read_credential(world, c, flavor, credential);
  switch (call.program) {
    case kPortmap:
      read_portmap_call(in, call);
      break;
    case kMount:
      read_mount_call(in, call);
      break;
    case kNfs:
      if (call.version == 2)
        read_nfs2_call(world, c, view, in, call);
      else if (call.version == 3)
        read_nfs3_call(world, c, view, in, call);
      else if (call.version == 4)
        read_nfs4_call(world, c, view, in, call);
      break;
    default:
      break;
  }
  call.frames = view.frames(0, view.bytes.size());
  call.time = view.time;
  call.client = c.client;
  call.server = c.server;
  call.client_port = c.client_port;
  call.server_port = c.server_port;
  call.tcp = c.tcp;
  if (world.rpc_calls.size() >= kMaxCalls) {
    world.doubt("rpc-calls-beyond-cap", "capture", call.frames.empty() ? 0 : call.frames.front(),
                "more calls await a reply than are kept");
    world.rpc_calls.erase(world.rpc_calls.begin());
  }
  world.rpc_calls[{c.id, xid}] = std::move(call);
  if (const auto early = world.rpc_replies.find({c.id, xid}); early != world.rpc_replies.end()) {
    const World::EarlyReply reply = std::move(early->second);
    world.rpc_replies.erase(early);
    std::vector<View::Mark> marks;
    for (std::size_t i = 0; i < reply.frames.size(); ++i)
      marks.push_back({reply.bytes.size() * (i + 1) / reply.frames.size(), reply.frames[i]});
    ByteReader from(reply.bytes, ByteOrder::big);
    from.skip(8);
    read_reply(world, c, View{.bytes = reply.bytes, .marks = &marks, .time = reply.time}, from, xid);
  }
  return true;
}

void read_reply(World& world, Conversation& c, const View& view, ByteReader& in, std::uint32_t xid) {
  const auto found = world.rpc_calls.find({c.id, xid});
  if (found == world.rpc_calls.end()) return;
  const RpcCall call = std::move(found->second);
  world.rpc_calls.erase(found);
  const bool accepted = in.u32() == 0;
  in.u32();
  opaque(in, 400);
  const bool success = accepted && in.u32() == 0 && in.ok();
  if (call.program == kPortmap) {
    const std::uint32_t port = success ? read_portmap_reply(world, in, call) : 0;
    const bool asked_for_port = call.procedure == 3 && !call.object.empty();
    world.tell(c, call.frames, call.time,
               {.kind = Kind::remote_call,
                .protocol = "portmap",
                .object = call.object.empty() ? fmt::format("procedure {}", call.procedure) : call.object,
                .words = port                        ? fmt::format("port {}", port)
                         : !success                  ? "refused"
                         : in.ok() && asked_for_port ? "not registered"
                                                     : "",
                .answered = true});
    return;
  }
  if (call.program == kMount) {
    if (call.procedure == 1 && success)
      read_mount_reply(world, c, view, in, call);
    else if (call.procedure != 0)
      tell_share(world, c, view, call, Kind::mount_remote, call.object,
                 call.procedure == 3 ? "unmounted"
                 : success           ? "asked"
                                     : "refused");
    return;
  }
  if (call.program == kNfs) {
    if (!success) return;
    tell_nfs(world, c, view, call);
    if (call.version == 2)
      read_nfs2_reply(world, c, view, in, call);
    else if (call.version == 3)
      read_nfs3_reply(world, c, view, in, call);
    else if (call.version == 4)
      read_nfs4_reply(world, c, view, in, call);
    return;
  }
  world.tell(
      c, call.frames, call.time,
      {.kind = Kind::remote_call,
       .protocol = "sunrpc",
       .object = fmt::format("{} v{} procedure {}", program_name(call.program), call.version, call.procedure),
       .answered = true});
}

}  // namespace

bool plausible_rpc_reply(ByteView message) {
  const auto word = [&](std::size_t i) { return base::load_be32(message, i * 4).value_or(~0u); };
  if (word(1) != kReply) return false;
  if (word(2) == 1) return message.size() >= 16 && word(3) <= 1;  // denied: mismatch or authentication
  return word(2) == 0 && word(3) <= 6 && word(4) <= 400 && (word(4) != 0 || word(5) <= 5);
}

bool read_rpc(World& world, Conversation& c, int direction, const View& view) {
  if (view.bytes.size() < 12) return false;
  ByteReader in(view.bytes, ByteOrder::big);
  const std::uint32_t xid = in.u32(), type = in.u32();
  if (type == kCall && plausible_call(view.bytes)) {
    if (direction == kFromClient) return read_call(world, c, view, in, xid);
    return true;  // a call back to the client (NFSv4); not followed
  }
  if (type == kReply && world.rpc_calls.contains({c.id, xid})) {
    read_reply(world, c, view, in, xid);
    return true;
  }
  // An accepted or denied reply whose call has not come yet: it may have been captured out of order.
  if (type == kReply && plausible_rpc_reply(view.bytes) && direction == kFromServer &&
      world.rpc_replies.size() < kMaxEarly && view.bytes.size() <= kMaxEarlyBytes) {
    world.rpc_replies[{c.id, xid}] = {base::Bytes(view.bytes.begin(), view.bytes.end()),
                                      view.frames(0, view.bytes.size()), view.time};
    return true;
  }
  return false;
}

Probe probe_rpc(ByteView bytes) {
  if (bytes.size() >= 4) {
    const std::uint32_t mark = *base::load_be32(bytes, 0), size = mark & ~kLastFragment;
    if (!(mark & kLastFragment) || size < 24 || size > kMaxRecord) return Probe::no;
  } else if (!bytes.empty() && bytes[0] != 0x80) {
    return Probe::no;
  }
  if (bytes.size() >= 12) {
    const std::uint32_t type = *base::load_be32(bytes, 8);
    if (type != kCall && type != kReply) return Probe::no;
    if (type == kReply)
      return bytes.size() >= 16 && *base::load_be32(bytes, 12) <= 1 ? Probe::yes
             : bytes.size() < 16                                    ? Probe::maybe
                                                                    : Probe::no;
  }
  if (bytes.size() < 24) return Probe::maybe;
  return plausible_call(bytes.subspan(4)) ? Probe::yes : Probe::no;
}

Progress read_rpc_stream(World& world, Conversation& c, int direction, const View& view) {
  // A record is one fragment or several; the last one is marked.
  std::size_t at = 0;
  base::Bytes joined;
  bool several = false;
  const auto read_record = [&](ByteView record, std::size_t end) {
    // Which frames carry which part of a record matters to nobody: each is spread over its share.
    std::vector<View::Mark> marks;
    const auto frames = view.frames(0, end);
    for (std::size_t i = 0; i < frames.size(); ++i)
      marks.push_back({record.size() * (i + 1) / frames.size(), frames[i]});
    read_rpc(world, c, direction, View{record, &marks, false, false, view.time});
  };
  for (;;) {
    const auto mark = base::load_be32(view.bytes, at);
    if (!mark) return {0, at + 4};
    const std::uint32_t size = *mark & ~kLastFragment;
    if (size > kMaxRecord || joined.size() + size > kMaxRecord) {
      c.streams[direction].lost = true;
      world.doubt("rpc-record-too-long", world.text(c.server),
                  view.marks && !view.marks->empty() ? view.marks->front().frame : 0,
                  "a record mark announces more than we read");
      return {view.bytes.size(), 0};
    }
    if (!base::in_bounds(at + 4, size, view.bytes.size())) return {0, at + 4 + size};
    const ByteView part = view.bytes.subspan(at + 4, size);
    at += 4 + size;
    const bool last = *mark & kLastFragment;
    if (last && !several) {
      read_record(part, at);
      return {at, 0};
    }
    several = true;
    joined.insert(joined.end(), part.begin(), part.end());
    if (!last) continue;
    read_record(joined, at);
    return {at, 0};
  }
}

void conclude_rpc(World& world) {
  for (auto& [key, call] : world.rpc_calls) {
    Conversation c;
    c.client = call.client;
    c.server = call.server;
    c.client_port = call.client_port;
    c.server_port = call.server_port;
    c.tcp = call.tcp;
    const std::string protocol = call.program == kPortmap ? "portmap"
                                 : call.program == kMount ? "mount"
                                 : call.program == kNfs   ? fmt::format("nfs{}", call.version)
                                                          : "sunrpc";
    if (call.object.empty())
      call.object =
          fmt::format("{} v{} procedure {}", program_name(call.program), call.version, call.procedure);
    world.tell(c, std::move(call.frames), call.time,
               {.kind = Kind::attempt,
                .protocol = protocol,
                .object = std::move(call.object),
                .words = "call without a reply"});
  }
  world.rpc_calls.clear();
  for (auto& [key, file] : world.nfs_files) {
    Conversation c;
    c.client = file.client;
    c.server = file.server;
    c.server_port = file.server_port;
    c.tcp = file.tcp;
    world.object(c, std::get<std::string>(key), "nfs", std::move(file.carving), file.time);
  }
  world.nfs_files.clear();
}

}  // namespace witness
