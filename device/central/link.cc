// Implements link.h on OpenSSL.
#include "device/central/link.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace bedside {
namespace {

constexpr int wait_ms = 5000;
constexpr std::size_t largest_answer = 65536;

struct Free {
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
};
using Context = std::unique_ptr<SSL_CTX, Free>;
using Session = std::unique_ptr<SSL, Free>;

std::string tls_problem(const char* what) {
  const auto code = ERR_get_error();
  char text[160] = "connection ended";
  if (code) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return fmt::format("{}: {}", what, text);
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

base::Result<Context> context_for(const CentralConfig& c) {
  Context context(SSL_CTX_new(TLS_client_method()));
  const auto bad = [](const char* what) { return base::fail(base::Error::Kind::internal, tls_problem(what)); };
  if (!context) return bad("TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_file(context.get(), c.ca.c_str()) != 1) return bad("the station's CA");
  if (SSL_CTX_use_certificate_chain_file(context.get(), c.certificate.c_str()) != 1) return bad("our certificate");
  if (SSL_CTX_use_PrivateKey_file(context.get(), c.key.c_str(), SSL_FILETYPE_PEM) != 1) return bad("our key");
  if (SSL_CTX_check_private_key(context.get()) != 1) return bad("our key and certificate");
  return context;
}

// A connected socket with time limits, or -1.
int connect_to(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return -1;
  int out = -1;
  for (const addrinfo* a = found; a && out < 0; a = a->ai_next) {
    const int s = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (s < 0) continue;
    const timeval limit{wait_ms / 1000, 0};  // SO_SNDTIMEO bounds connect() too
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(s, a->ai_addr, a->ai_addrlen) == 0) out = s;
    else close(s);
  }
  freeaddrinfo(found);
  return out;
}

}  // namespace

struct CentralLink::Inside {
  CentralConfig config;
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::string> queue;
  std::string problem;
  bool stopping = false;
  std::atomic<bool> lost = false;
  std::atomic<std::uint64_t> delivered = 0, dropped = 0;
  Context context;
  Session session;
  int socket = -1;
  std::thread thread;

  void close_connection() {
    session.reset();
    if (socket >= 0) close(socket);
    socket = -1;
  }

  // Empty when connected, else what went wrong.
  std::string open_connection() {
    if (session) return {};
    if (!context) {
      auto made = context_for(config);
      if (!made) return made.error().message;
      context = std::move(*made);
    }
    socket = connect_to(config.host, config.port);
    if (socket < 0) return "no connection";
    session.reset(SSL_new(context.get()));
    SSL_set_fd(session.get(), socket);
    if (is_address(config.host)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), config.host.c_str());
    } else {
      SSL_ctrl(session.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(config.host.c_str()));
      SSL_set_hostflags(session.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      SSL_set1_host(session.get(), config.host.c_str());
    }
    if (SSL_connect(session.get()) == 1) return {};
    auto why = tls_problem("TLS handshake");
    close_connection();
    return why;
  }

  std::string send(const std::string& message) {
    if (auto why = open_connection(); !why.empty()) return why;
    const auto frame = mllp_frame(message);
    std::size_t written = 0;
    if (SSL_write_ex(session.get(), frame.data(), frame.size(), &written) != 1 || written != frame.size()) return tls_problem("sending");
    std::string answer;
    char buffer[2048];
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
    while (answer.find("\x1C\r") == std::string::npos) {
      std::size_t got = 0;
      if (SSL_read_ex(session.get(), buffer, sizeof buffer, &got) != 1) return tls_problem("waiting for the acknowledgement");
      answer.append(buffer, got);
      if (answer.size() > largest_answer || std::chrono::steady_clock::now() > until) return "no end of the acknowledgement";
    }
    return acknowledges(answer, control_id_of(message)) ? std::string() : "the station did not accept the message";
  }

  void run() {
    auto pause = std::chrono::seconds(1);
    std::unique_lock lock(mutex);
    while (!stopping) {
      wake.wait(lock, [&] { return stopping || !queue.empty(); });
      if (stopping) break;
      const std::string message = queue.front();
      lock.unlock();
      std::string why = send(message);
      const bool good = why.empty();
      if (!good) close_connection();
      lock.lock();
      problem = why;
      lost = !good;
      if (good) {
        if (!queue.empty() && queue.front() == message) queue.pop_front();
        ++delivered;
        pause = std::chrono::seconds(1);
      } else {
        wake.wait_for(lock, pause, [&] { return stopping; });
        pause = std::min(pause * 2, std::chrono::seconds(60));
      }
    }
    close_connection();
  }
};

CentralLink::CentralLink(CentralConfig config) : inside_(std::make_unique<Inside>()) {
  inside_->config = std::move(config);
  inside_->thread = std::thread([this] { inside_->run(); });
}

CentralLink::~CentralLink() {
  {
    const std::lock_guard lock(inside_->mutex);
    inside_->stopping = true;
  }
  inside_->wake.notify_all();
  inside_->thread.join();
}

void CentralLink::offer(std::string message) {
  const std::lock_guard lock(inside_->mutex);
  if (inside_->queue.size() >= queue_limit) {
    inside_->queue.pop_front();
    ++inside_->dropped;
  }
  inside_->queue.push_back(std::move(message));
  inside_->wake.notify_all();
}

bool CentralLink::lost() const { return inside_->lost; }
std::uint64_t CentralLink::delivered() const { return inside_->delivered; }
std::uint64_t CentralLink::dropped() const { return inside_->dropped; }
std::string CentralLink::last_problem() const {
  const std::lock_guard lock(inside_->mutex);
  return inside_->problem;
}

}  // namespace bedside
