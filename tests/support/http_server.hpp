// A server for downloads on the loopback: answers every request, one after the other, as `answer` says.
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

namespace chiaro::test {

class HttpServer {
 public:
  // answer: the whole response to a path, status line and headers included; "" hangs up.
  explicit HttpServer(std::function<std::string(const std::string& path)> answer)
      : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t length = sizeof address;
    if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        listen(listener_, 8) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
      throw std::runtime_error("no port on the loopback");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }

  static std::string ok(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n\r\n" + body;
  }

 private:
  void serve() {
    for (int client; (client = accept(listener_, nullptr, nullptr)) >= 0; close(client)) {
      std::string request;
      char piece[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t bytes = recv(client, piece, sizeof piece, 0);
        if (bytes <= 0) break;
        request.append(piece, static_cast<std::size_t>(bytes));
      }
      ++requests_;
      const std::size_t begin = request.find(' ') + 1;
      const std::string response = answer_(request.substr(begin, request.find(' ', begin) - begin));
      for (std::size_t sent = 0; sent < response.size();) {
        const ssize_t bytes = send(client, response.data() + sent, response.size() - sent, MSG_NOSIGNAL);
        if (bytes <= 0) break;
        sent += static_cast<std::size_t>(bytes);
      }
    }
  }

  std::function<std::string(const std::string&)> answer_;
  int listener_ = -1, port_ = 0;
  int requests_ = 0;  // read when the client has its answer
  std::thread thread_;
};

}  // namespace chiaro::test
