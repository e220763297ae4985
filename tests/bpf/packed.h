// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A node that serves, too: what a peer sends it, by its link address or in an outer header.

#include <string>

#include "tests/bpf/expect.h"

namespace xdplb::test {

struct Node {
  Address address;
  Mac mac;
};

// What 'ip ... replace ...' makes: there while it lives.
class Setting {
 public:
  explicit Setting(std::string words);
  ~Setting();
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  std::string line_;
};
std::string on_loopback(const Address& address);

// One VIP, with this host and another as backends.
struct Packed {
  // mode: as the command line has it. The families of the VIP and of the nodes.
  Packed(Balancer& balancer, const std::string& mode, bool inner4, bool outer4);
  ~Packed();
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;

  // Another one, which drains.
  void add_third();

  [[nodiscard]] PacketSpec packet() const { return {.from = client, .to = vip}; }
  // A router's error about the connection of that packet.
  [[nodiscard]] Bytes error(std::uint16_t port = 40000, std::uint8_t ttl = 64) const;
  // As one node sends it to another.
  [[nodiscard]] Bytes wrapped(const Bytes& frame, const Node& from, const Node& to) const;
  [[nodiscard]] Bytes wrapped(const PacketSpec& spec, const Node& from, const Node& to) const {
    return wrapped(build(spec), from, to);
  }

  // By both programs: to the host's stack, as it came, or to a backend.
  void stays(const Bytes& frame);
  void stays(const PacketSpec& spec) { stays(wrapped(spec, peer, here)); }
  void goes_on(const PacketSpec& spec, std::uint16_t to = 2);
  // later: the packet when it leaves.
  void goes_on(const Bytes& frame, const Bytes& later, std::uint16_t to = 2);

  Balancer& balancer;
  Forward forward;
  bool v4;
  Address client, vip;
  ServiceId id;
  Node peer, here, there, third;

 private:
  void add(const Node& node, std::uint16_t number, BackendState state);
  void check_all(const Bytes& frame, const Run& wanted, const CounterId& at);

  Address source_;
  Setting own_, elsewhere_;  // this host's address, and that which isn't
};

}  // namespace xdplb::test
