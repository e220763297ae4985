// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Clients that choose their source address and port: a connection of HTTP/1.1, and UDP datagrams.
// They speak from the network namespace that the calling thread is in when they are made. Whatever
// fails, or takes longer than a few seconds, throws.

#include <cstddef>
#include <cstdint>
#include <string>

#include "plugin/address.h"
#include "plugin/fd.h"

namespace xdplb::test {

struct Endpoint {
  Address address;
  std::uint16_t port = 0;  // 0, of a source: any
};

Endpoint endpoint(const std::string& address, std::uint16_t port);
std::string text_of(const Endpoint& endpoint);

// Of a response's head, which ends with a line break; empty where it isn't there.
std::string header_of(const std::string& head, const std::string& name);

struct HttpReply {
  int status = 0;
  std::string body;
};

class HttpConnection {
 public:
  HttpConnection(const Endpoint& from, const Endpoint& to);

  HttpReply get(const std::string& path);
  HttpReply put(const std::string& path, const std::string& body);
  [[nodiscard]] std::uint16_t local_port() const;

 private:
  void send(const std::string& bytes);
  std::string receive(std::size_t most);
  HttpReply read_reply();

  Fd socket_;
  std::string unread_;
};

// One connection, one request.
HttpReply http_get(const Endpoint& from, const Endpoint& to, const std::string& path = "/");

// One datagram there, and the answer.
std::string udp_ask(const Endpoint& from, const Endpoint& to, const std::string& question);

// A bound socket, of SOCK_STREAM or SOCK_DGRAM.
Fd bound_socket(const Endpoint& at, int type, int protocol = 0);
void connect_socket(const Fd& socket, const Endpoint& to);
// One of a TCP connection, without a handshake (TCP_REPAIR).
Fd connected_socket(const Endpoint& at, const Endpoint& to);

}  // namespace xdplb::test
