// Implements server.h on cpp-httplib.
#include "device/screen/server.h"

#include <fmt/format.h>
#include <httplib.h>

#include <charconv>
#include <thread>

namespace bedside {

struct PageServer::Inside {
  httplib::Server server;
  std::thread thread;
  int port = 0;
};

PageServer::PageServer() : inside_(std::make_unique<Inside>()) {}

PageServer::~PageServer() {
  inside_->server.stop();
  if (inside_->thread.joinable()) inside_->thread.join();
}

int PageServer::port() const { return inside_->port; }

base::Result<std::unique_ptr<PageServer>> PageServer::start(int port, PageSource source) {
  std::unique_ptr<PageServer> out(new PageServer);
  auto& server = out->inside_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(3); };
  server.set_payload_max_length(1024);
  server.set_default_headers({{"Content-Security-Policy",
                               "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; frame-ancestors 'none'"},
                              {"X-Content-Type-Options", "nosniff"},
                              {"Cache-Control", "no-store"}});
  auto* inside = out->inside_.get();
  server.set_pre_routing_handler([inside](const httplib::Request& request, httplib::Response& response) {
    const auto host = request.get_header_value("Host");
    const auto at = fmt::format(":{}", inside->port);
    if (host == "127.0.0.1" + at || host == "localhost" + at) return httplib::Server::HandlerResponse::Unhandled;
    response.status = 403;
    return httplib::Server::HandlerResponse::Handled;
  });
  server.Get("/", [](const httplib::Request&, httplib::Response& response) { response.set_content(page_html, "text/html; charset=utf-8"); });
  server.Get("/state", [state = source.state](const httplib::Request& request, httplib::Response& response) {
    std::uint64_t since = 0;
    const auto given = request.get_param_value("since");
    std::from_chars(given.data(), given.data() + given.size(), since);
    response.set_content(state(since), "application/json");
  });
  server.Post(R"(/do/([a-z]+))", [command = source.command](const httplib::Request& request, httplib::Response& response) {
    if (request.get_header_value("X-Bedside") != "1") response.status = 403;
    else response.status = command(request.matches[1]) ? 204 : 404;
  });
  server.Post("/update", [update = source.update](const httplib::Request& request, httplib::Response& response) {
    if (request.get_header_value("X-Bedside") != "1") response.status = 403;
    else response.status = update && update(request.body) ? 204 : 404;
  });
  inside->port = port == 0 ? server.bind_to_any_port("127.0.0.1") : (server.bind_to_port("127.0.0.1", port) ? port : -1);
  if (inside->port <= 0) return base::fail(base::Error::Kind::internal, fmt::format("cannot listen on 127.0.0.1:{}", port));
  inside->thread = std::thread([inside] { inside->server.listen_after_bind(); });
  return out;
}

}  // namespace bedside
