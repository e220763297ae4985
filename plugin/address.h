// SPDX-License-Identifier: GPL-2.0-only
// What administrators write to name things: addresses, services, backends, next hops. Parsing
// throws Error that quotes the text and shows the right form; to_string() is its inverse.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace xdplb {

// An IPv4 or IPv6 address, in network order; IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
class Address {
 public:
  Address() = default;
  explicit Address(const std::array<std::uint8_t, 16>& bytes) : bytes_(bytes) {}

  static Address parse(std::string_view text);
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // As in a packet: 4 bytes of an IPv4 address, 16 of another.
  [[nodiscard]] std::span<const std::uint8_t> wire() const {
    return std::span(bytes_).subspan(is_v4() ? 12 : 0);
  }
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] bool is_unicast() const;  // neither unspecified, multicast nor broadcast
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const Address&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

enum class Protocol : std::uint8_t { tcp = 6, udp = 17 };
std::string_view to_string(Protocol protocol);

// VIP:PORT/PROTO, [VIP]:PORT/PROTO for IPv6; port 0 is any port.
struct ServiceId {
  Address vip;
  std::uint16_t port = 0;
  Protocol protocol = Protocol::tcp;

  static ServiceId parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const ServiceId&) const = default;
};

// ADDRESS[:PORT], [ADDRESS]:PORT for IPv6; port 0 is the service's.
struct BackendId {
  Address address;
  std::uint16_t port = 0;

  static BackendId parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  auto operator<=>(const BackendId&) const = default;
};

// ADDRESS:PORT, [ADDRESS]:PORT for IPv6, of a client.
BackendId parse_client(std::string_view text);

// As the kernel takes it (dev_valid_name()).
std::string parse_interface_name(std::string_view text);

using Mac = std::array<std::uint8_t, 6>;
Mac parse_mac(std::string_view text);
std::string to_string(const Mac& mac);

// Another node: by its link address what comes as it was sent to the VIP, by its address what comes
// in an outer header.
using Peer = std::variant<Mac, Address>;
// Link addresses, IPv4 and IPv6 addresses.
std::array<unsigned, 3> count_peers(const std::vector<Peer>& peers);
// What is wrong where there are more than LB_PEERS of a kind: of link addresses, or of a family's.
std::optional<std::string> too_many_peers(const std::vector<Peer>& peers);
Peer parse_peer(std::string_view text);
std::string to_string(const Peer& peer);

// A next hop that the administrator gives: MAC%IFNAME.
struct StaticHop {
  Mac mac{};
  std::string ifname;

  static StaticHop parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

// A decimal number in [low, high], or nothing.
std::optional<unsigned long> parse_number(std::string_view text, unsigned long low,
                                          unsigned long high);

}  // namespace xdplb
