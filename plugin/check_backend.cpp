// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/check_backend.h"

#include <arpa/inet.h>
#include <ifaddrs.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "plugin/check_interface.h"
#include "plugin/check_second.h"
#include "plugin/listener.h"
#include "plugin/peers.h"
#include "plugin/state.h"
#include "plugin/way.h"

namespace xdplb {

namespace {

constexpr std::size_t most_shown = 10;  // backends of a service
constexpr unsigned usual_mtu = 1500;    // of clients
constexpr int strict = 1;

// By address: the interfaces of this host that have it.
std::multimap<Address, std::string> own_addresses() {
  std::multimap<Address, std::string> own;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return own;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, ::freeifaddrs);
  for (const auto* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    const auto family = one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
    std::array<char, INET6_ADDRSTRLEN> text{};
    const auto* bytes = family == AF_INET ? static_cast<const void*>(&v4->sin_addr)
                                          : static_cast<const void*>(&v6->sin6_addr);
    if (::inet_ntop(family, bytes, text.data(), text.size()) != nullptr)
      own.emplace(Address::parse(text.data()), one->ifa_name);
  }
  return own;
}

Trouble neighbour_trouble(const Backend& backend, const Way& way) {
  if (backend.hop || way.local() || backend.state == BackendState::down) return {};
  const auto& neighbour = way.neighbour(backend.id.address);
  if (has_neighbour(neighbour, way.route->ifindex)) return {};
  const auto name = neighbour.to_string();
  return {"the link address of " + name + " isn't known; its packets are dropped (no-neighbour)",
          "see that " + name + " is up, in the network of " + interface_name(way.route->ifindex)};
}

// What has changed since the data path was told.
Trouble stale_trouble(const Backend& backend, const Way& way) {
  const std::string remedy =
      "change anything of the service, as 'xdp-lb backend set' with the same -w";
  if (backend.local != way.local())
    return {way.local() ? "it is an address of this host now, and its packets are sent elsewhere"
                        : "it is no address of this host any more, and its packets stay here",
            remedy};
  if (is_tunnel(backend.forward) && way.route && way.route->source &&
      backend.source != way.route->source)
    return {"its outer headers don't come from " + way.route->source->to_string() +
                ", which this host sends to it from now",
            remedy};
  return {};
}

Trouble trouble_of(const Pins& pins, const Backend& backend, const Way& way) {
  auto trouble = way_trouble(pins, backend, way);
  if (trouble.none()) trouble = stale_trouble(backend, way);
  if (trouble.none()) trouble = neighbour_trouble(backend, way);
  return trouble;
}

// Packets come up to this host's stack as clients sent them.
bool serves_here(const Backend& backend) {
  return backend.local && backend.state != BackendState::down && !is_rewriting(backend.forward);
}

class Examination {
 public:
  Examination(Findings& findings, const Pins& pins)
      : findings_(findings),
        pins_(pins),
        state_(pins),
        all_(interfaces()),
        own_(own_addresses()),
        peers_(peers_of(pins)) {}

  void run() {
    for (const auto& service : state_.services()) examine(service);
    for (const auto& [vip, facts] : vips_) findings_.push_back(judge_vip(vip.to_string(), facts));
    for (const auto& [ifname, traffic] : traffic_) {
      if (traffic.outer != 0) findings_.push_back(judge_mtu(ifname, traffic));
      if (traffic.rewritten_v4)
        findings_.push_back(judge_replies(ifname, traffic,
                                          sysctl_value("ipv4", ifname, "rp_filter"),
                                          sysctl_value("ipv4", ifname, "accept_local")));
    }
  }

 private:
  void examine(const Service& service) {
    std::size_t bad = 0;
    const auto backends = state_.backends(service.number);
    auto& vip = vip_of(service.id.vip);
    for (const auto& backend : backends) {
      const auto way = way_to(all_, backend.id.address, backend.hop);
      vip.served_here |= way.local();
      if (!way.local() && way.device != nullptr) add(service, backend, way, vip.local);
      const auto trouble = trouble_of(pins_, backend, way);
      if (trouble.none() || ++bad > most_shown) continue;
      findings_.push_back({Level::fail, service.id.to_string(),
                           "backend " + backend.id.to_string() + ": " + trouble.text,
                           trouble.remedy});
    }
    if (bad > most_shown)
      findings_.push_back({Level::fail, service.id.to_string(),
                           "and " + std::to_string(bad - most_shown) + " backends more",
                           "see to these first"});
    if (bad == 0)
      findings_.push_back({Level::ok, service.id.to_string(),
                           "there are ways to its backends: " + std::to_string(backends.size())});
    if (std::ranges::any_of(backends, serves_here)) check_listener(service.id);
    if (service.second_chance)
      findings_.push_back(
          judge_second_chance(service.id.to_string(), second_facts(backends, peers_, all_)));
  }

  // Of a service for any port, it is up to administrators which ports have servers.
  void check_listener(const ServiceId& service) {
    if (service.port == 0) return;
    if (const auto listens = has_listener(service))
      findings_.push_back(judge_listener(service.to_string(), *listens));
  }

  VipFacts& vip_of(const Address& vip) {
    auto& facts = vips_[vip];
    const auto route = route_to(vip);
    facts.local = route && route->local;
    facts.holders.clear();
    for (auto [at, end] = own_.equal_range(vip); at != end; ++at)
      facts.holders.push_back(at->second);
    return facts;
  }

  void add(const Service& service, const Backend& backend, const Way& way, bool local_vip) {
    auto& traffic = traffic_[way.device->name];
    const auto outer = outer_bytes(backend.forward, backend.id.address.is_v4());
    const auto room = [](unsigned mtu, unsigned bytes) { return static_cast<int>(mtu - bytes); };
    if (outer != 0 &&
        (traffic.outer == 0 || room(way.mtu, outer) < room(traffic.mtu, traffic.outer))) {
      traffic.mtu = way.mtu;
      traffic.outer = outer;
      traffic.forward = backend.forward;
    }
    if (!is_rewriting(backend.forward) || !service.id.vip.is_v4()) return;
    traffic.rewritten_v4 = true;
    traffic.local_vip |= local_vip;
  }

  Findings& findings_;
  const Pins& pins_;
  State state_;
  std::vector<Interface> all_;
  std::multimap<Address, std::string> own_;
  std::vector<Peer> peers_;
  std::map<Address, VipFacts> vips_;
  std::map<std::string, Traffic> traffic_;  // by the interface that it goes out of
};

}  // namespace

Finding judge_vip(const std::string& vip, const VipFacts& facts) {
  const auto subject = "VIP " + vip;
  const bool on_lo_alone =
      std::ranges::all_of(facts.holders, [](const auto& ifname) { return ifname == "lo"; });
  if (!facts.local) {
    if (!facts.served_here)
      return {Level::ok, subject, "is no address of this host: clients' packets come by a route"};
    return {
        Level::fail, subject,
        "is no address of this host, which is a backend: its packets pass, and nobody takes them",
        "ip address add " + vip + " dev lo"};
  }
  if (facts.served_here)
    return {Level::ok, subject, "is an address of this host, which is a backend"};
  if (!on_lo_alone)
    return {Level::ok, subject,
            "is an address of this host, on " + facts.holders.front() +
                ", which clients' packets come by"};
  return {
      Level::warn, subject,
      "is an address of this host, on loopback, though this host is no backend: what the "
      "component passes, this host answers",
      (facts.holders.empty() ? "ip route del local " + vip : "ip address del " + vip + " dev lo")};
}

Finding judge_listener(const std::string& service, bool listens) {
  if (listens) return {Level::ok, service, "this host is a backend, and a server listens"};
  return {Level::warn, service,
          "this host is a backend, and no server listens to the VIP's port here",
          "start it, in this network namespace; until then 'xdp-lb backend down'"};
}

Finding judge_mtu(const std::string& ifname, const Traffic& traffic) {
  const auto least = usual_mtu + traffic.outer;
  const auto mode = "mode " + std::string(to_string(traffic.forward));
  const auto text = "to backends has MTU " + std::to_string(traffic.mtu) + ": ";
  if (traffic.mtu >= least)
    return {Level::ok, ifname, text + "full-size packets fit in the outer headers of " + mode};
  return {Level::warn, ifname,
          text + "full-size packets don't fit with the " + std::to_string(traffic.outer) +
              " bytes more of " + mode + ", and clients must be told to send smaller ones",
          "give the way " + std::to_string(least) +
              " bytes, or see 'xdp-lb backend-setup' for backends that announce a smaller MSS"};
}

Finding judge_replies(const std::string& ifname, const Traffic& traffic, int rp_filter,
                      int accept_local) {
  if (rp_filter == strict)
    return {Level::warn, ifname,
            "has a strict rp_filter: replies of modes nat and fullnat that the kernel forwards are "
            "dropped there",
            sysctl_of(ifname, "rp_filter=2", "")};
  if (traffic.local_vip && accept_local == 0)
    return {Level::warn, ifname,
            "takes no packets from addresses of this host, as the VIP is: replies of modes nat and "
            "fullnat that the kernel forwards are dropped there",
            sysctl_of(ifname, "accept_local=1", "")};
  return {Level::ok, ifname, "takes replies of modes nat and fullnat that the kernel forwards"};
}

void check_services(Findings& findings, const Pins& pins) { Examination(findings, pins).run(); }

}  // namespace xdplb
