// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "bpf/abi.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t max_ifname = 15;  // IFNAMSIZ less the terminating zero

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

struct HostPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

// Splits HOST[:PORT] or [HOST][:PORT]. A bare IPv6 address has no port.
std::optional<HostPort> split_host_port(std::string_view text) {
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const auto host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
    if (rest.empty()) return HostPort{host, std::nullopt};
    if (!rest.starts_with(':')) return std::nullopt;
    return HostPort{host, rest.substr(1)};
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon != text.rfind(':'))
    return HostPort{text, std::nullopt};
  return HostPort{text.substr(0, colon), text.substr(colon + 1)};
}

std::string with_port(const Address& address, std::uint16_t port) {
  const auto host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  return host + ":" + std::to_string(port);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<unsigned long> parse_number(std::string_view text, unsigned long low,
                                          unsigned long high) {
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value < low || value > high) return std::nullopt;
  return value;
}

Address Address::parse(std::string_view text) {
  const std::string copy(text);
  std::array<std::uint8_t, 16> bytes{};
  std::copy(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin());
  if (copy.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, copy.c_str(), bytes.data() + mapped_prefix.size()) == 1)
      return Address(bytes);
    if (inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1) {
      const Address address(bytes);
      if (!address.is_v4()) return address;
      throw Error(quoted(text) + " is an IPv4 address in IPv6's clothes",
                  "write it as " + address.to_string());
    }
  }
  throw Error(quoted(text) + " is no IP address", "write it like 192.0.2.10 or 2001:db8::10");
}

bool Address::is_v4() const {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes_.begin());
}

bool Address::is_unicast() const {
  if (is_v4()) return bytes_[12] != 0 && bytes_[12] < 224;
  return bytes_[0] != 0xff && *this != Address{};
}

std::string Address::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4())
    inet_ntop(AF_INET, bytes_.data() + mapped_prefix.size(), text.data(), text.size());
  else
    inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

std::string_view to_string(Protocol protocol) { return protocol == Protocol::tcp ? "tcp" : "udp"; }

ServiceId ServiceId::parse(std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return Error("service " + quoted(text) + ": " + why,
                 "write it like 192.0.2.10:80/tcp or [2001:db8::1]:443/udp; port 0 is any port");
  };
  const auto slash = text.rfind('/');
  if (slash == std::string_view::npos) throw bad("no protocol");
  const auto protocol = text.substr(slash + 1);
  if (protocol != "tcp" && protocol != "udp")
    throw bad("protocol " + quoted(protocol) + " is neither tcp nor udp");
  const auto parts = split_host_port(text.substr(0, slash));
  if (!parts || !parts->port) throw bad("no address and port");
  const auto port = parse_number(*parts->port, 0, 65535);
  if (!port) throw bad("port " + quoted(*parts->port) + " is not a number from 0 to 65535");
  ServiceId id{Address::parse(parts->host), static_cast<std::uint16_t>(*port),
               protocol == "tcp" ? Protocol::tcp : Protocol::udp};
  if (!id.vip.is_unicast()) throw bad("the VIP must be a unicast address");
  return id;
}

std::string ServiceId::to_string() const {
  return with_port(vip, port) + "/" + std::string(xdplb::to_string(protocol));
}

BackendId BackendId::parse(std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return Error("backend " + quoted(text) + ": " + why,
                 "write it like 10.0.0.1, 10.0.0.1:8080, 2001:db8::1 or [2001:db8::1]:8080");
  };
  const auto parts = split_host_port(text);
  if (!parts) throw bad("brackets don't match");
  BackendId id{Address::parse(parts->host), 0};
  if (parts->port) {
    const auto port = parse_number(*parts->port, 1, 65535);
    if (!port) throw bad("port " + quoted(*parts->port) + " is not a number from 1 to 65535");
    id.port = static_cast<std::uint16_t>(*port);
  }
  if (!id.address.is_unicast()) throw bad("a backend needs a unicast address");
  return id;
}

BackendId parse_client(std::string_view text) {
  const auto parts = split_host_port(text);
  const auto port =
      parts && parts->port ? parse_number(*parts->port, 0, 65535) : std::optional<unsigned long>{};
  if (!port)
    throw Error("client " + quoted(text) + " is no address and port",
                "write it like 198.51.100.7:40000 or [2001:db8::7]:40000");
  return {Address::parse(parts->host), static_cast<std::uint16_t>(*port)};
}

std::string BackendId::to_string() const {
  return port == 0 ? address.to_string() : with_port(address, port);
}

Mac parse_mac(std::string_view text) {
  Mac mac{};
  bool ok = text.size() == 17;
  for (std::size_t i = 0; ok && i < mac.size(); i++) {
    const int high = hex_digit(text[3 * i]);
    const int low = hex_digit(text[3 * i + 1]);
    ok = high >= 0 && low >= 0 && (i == 5 || text[3 * i + 2] == ':');
    mac[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  if (!ok) throw Error(quoted(text) + " is no MAC address", "write it like 02:00:5e:00:53:01");
  if ((mac[0] & 1) != 0 || mac == Mac{})
    throw Error(quoted(text) + " is not the MAC address of one station",
                "give the backend's own, with an even first byte");
  return mac;
}

std::string to_string(const Mac& mac) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : mac) {
    if (!text.empty()) text += ':';
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string parse_interface_name(std::string_view text) {
  if (text.empty() || text.size() > max_ifname || text == "." || text == ".." ||
      text.find_first_of("/: \t\n\v\f\r") != std::string_view::npos)
    throw Error(quoted(text) + " can't be an interface's name",
                "it has 1 to 15 characters, and no '/', ':' or blanks");
  return std::string(text);
}

Peer parse_peer(std::string_view text) {
  // An IPv6 address with as few colons has two in a row.
  const bool mac = std::ranges::count(text, ':') == 5 && text.find("::") == std::string_view::npos;
  if (mac) return parse_mac(text);
  const auto address = Address::parse(text);
  if (!address.is_unicast())
    throw Error("peer " + quoted(text) + " is no unicast address", "give the node's own");
  if (!address.is_v4() &&
      std::ranges::all_of(address.wire().first(8), [](auto b) { return b == 0; }))
    throw Error("peer " + quoted(text) + " is in ::/64, where no node's address is",
                "give the node's own");
  return address;
}

std::array<unsigned, 3> count_peers(const std::vector<Peer>& peers) {
  std::array<unsigned, 3> count{};
  for (const auto& peer : peers) {
    const auto* address = std::get_if<Address>(&peer);
    count.at(address == nullptr ? 0 : address->is_v4() ? 1 : 2)++;
  }
  return count;
}

std::optional<std::string> too_many_peers(const std::vector<Peer>& peers) {
  constexpr std::array kinds{"link addresses", "IPv4 addresses", "IPv6 addresses"};
  const auto count = count_peers(peers);
  for (std::size_t kind = 0; kind < kinds.size(); kind++)
    if (count.at(kind) > LB_PEERS)
      return std::to_string(count.at(kind)) + " " + kinds.at(kind) + " of peers are more than " +
             std::to_string(LB_PEERS);
  return std::nullopt;
}

std::string to_string(const Peer& peer) {
  const auto* mac = std::get_if<Mac>(&peer);
  return mac != nullptr ? to_string(*mac) : std::get<Address>(peer).to_string();
}

StaticHop StaticHop::parse(std::string_view text) {
  const auto percent = text.find('%');
  if (percent == std::string_view::npos || percent + 1 == text.size() ||
      text.size() - percent - 1 > max_ifname)
    throw Error("next hop " + quoted(text) + " names no interface",
                "write it like 02:00:5e:00:53:01%eth0");
  return {parse_mac(text.substr(0, percent)), std::string(text.substr(percent + 1))};
}

std::string StaticHop::to_string() const { return xdplb::to_string(mac) + "%" + ifname; }

}  // namespace xdplb
