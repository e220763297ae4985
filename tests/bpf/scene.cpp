// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/scene.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "plugin/error.h"
#include "tests/bpf/links.h"
#include "tests/bpf/scene_clients.h"

namespace xdplb::test {

namespace {

constexpr std::uint32_t no_device = 4711;
constexpr Mac neighbour_mac{0x02, 0x51, 0x52, 0x53, 0x54, 0x55};
constexpr Mac gateway_mac{0x02, 0x61, 0x62, 0x63, 0x64, 0x65};

// A backend's address in both families, and the way to it.
struct Place {
  std::string v4;
  std::string v6;
  Way way;
  bool is_static = false;
  unsigned weight = 2;
  bool local = false;
  bool no_source = false;
  bool drain = false;
};

struct Device {
  std::string name;
  std::string v4;  // networks, to which a number is added
  std::string v6;
  unsigned mtu;
};

void make_device(const Device& device) {
  const auto& name = device.name;
  ip_tool("link add " + name + " mtu " + std::to_string(device.mtu) + " type veth peer name " +
          name + "b");
  ip_tool("link set " + name + " up");
  ip_tool("link set " + name + "b up");
  ip_tool("addr add " + device.v4 + "1/24 dev " + name);
  ip_tool("addr add " + device.v6 + "1/64 dev " + name + " nodad");
  set_sysctl("ipv4/conf/" + name + "/forwarding", "1");
  set_sysctl("ipv6/conf/" + name + "/forwarding", "1");
}

Way kernel_way(const std::string& device, unsigned mtu) {
  return {Way::none, ifindex_of(device), neighbour_mac, mac_of(device), mtu};
}

Way static_way(std::uint32_t ifindex, std::uint16_t number) {
  const auto hop = hop_to(number, ifindex);
  const unsigned mtu = ifindex == no_device ? 0 : 1500;
  return {Way::as_they_came, ifindex, std::to_array(hop.dst), std::to_array(hop.src), mtu};
}

Way troubled(lb_reason reason) {
  Way way;
  way.trouble = reason;
  return way;
}

void route(const Place& place, const std::string& how4, const std::string& how6) {
  ip_tool("route replace " + place.v4 + "/32 " + how4);
  ip_tool("route replace " + place.v6 + "/128 " + how6);
}

void meet(const Place& place, const std::string& device, const Mac& mac = neighbour_mac) {
  set_neighbour(place.v4, device, mac);
  set_neighbour(place.v6, device, mac);
}

// Behind the kernel's routes.
std::vector<Place> kernel_places() {
  links();
  make_device({"tight0", "10.9.2.", "2001:db8:b::", 1300});
  make_device({"tagged0", "10.9.3.", "2001:db8:d::", 1500});
  const Place near{"10.9.0.150", "2001:db8:9::150", kernel_way("in0", 1500)};
  const Place far{"10.9.1.150", "2001:db8:a::150", kernel_way("out0", 1500)};
  const Place tight{"10.9.2.150", "2001:db8:b::150", kernel_way("tight0", 1300)};
  Place locked{"10.66.0.5", "2001:db8:66::5", kernel_way("in0", 1280)};
  Place tagged{"10.9.3.150", "2001:db8:d::150", kernel_way("tagged0", 1500)};
  Place behind{"10.66.1.5", "2001:db8:66:1::5", kernel_way("out0", 1500)};
  const Place gateway{"10.9.1.151", "2001:db8:a::151", {}};
  meet(near, "in0");
  meet(far, "out0");
  meet(tight, "tight0");
  route(locked, "dev in0 mtu lock 1280", "dev in0 mtu lock 1280");
  meet(locked, "in0");
  meet(tagged, "tagged0");
  tagged.way.tags = Way::one;
  tagged.way.vlan = scene_vlan;
  tagged.way.ifindex = links().in;
  meet(gateway, "out0", gateway_mac);
  route(behind, "via " + gateway.v4, "via " + gateway.v6);
  behind.way.dst = gateway_mac;
  behind.way.gateway = true;
  const Place silent{"10.9.0.160", "2001:db8:9::160", troubled(LB_NO_NEIGHBOUR), false, 1};
  const Place nowhere{"10.67.0.5", "2001:db8:67::5", troubled(LB_NO_ROUTE), false, 1};
  return {near, far, tight, locked, tagged, behind, silent, nowhere};
}

std::vector<Place> all_places() {
  auto places = kernel_places();
  const auto fixed = [&](const std::string& number, std::uint32_t ifindex) {
    const auto way = static_way(ifindex, static_cast<std::uint16_t>(places.size()));
    places.push_back({"10.68.0." + number, "2001:db8:68::" + number, way, true});
    return &places.back();
  };
  fixed("1", links().in);
  fixed("2", links().out);
  fixed("3", no_device)->weight = 1;
  fixed("4", links().in)->local = true;
  fixed("5", links().in)->no_source = true;
  fixed("6", links().in)->drain = true;
  return places;
}

const std::vector<Place>& places() {
  static const auto made = all_places();
  return made;
}

lb_hop hop_of(const Way& way) {
  lb_hop hop{way.ifindex, {}, {}};
  std::ranges::copy(way.dst, hop.dst);
  std::ranges::copy(way.src, hop.src);
  return hop;
}

constexpr std::array forwards{Forward::l2, Forward::ipip, Forward::gue, Forward::gre};

bool rewrites(Forward forward) { return forward == Forward::nat || forward == Forward::fullnat; }

// A backend's mode, if it has one of its own.
std::optional<Forward> own_forward(Forward forward, bool mixed, std::size_t service,
                                   std::size_t place) {
  constexpr std::array others{Forward::fullnat, Forward::nat, Forward::l2};
  if (rewrites(forward)) return mixed ? std::optional(others.at(place % 3)) : std::nullopt;
  if ((service + place) % 4 != 0) return {};
  return forwards.at(place / 2 % forwards.size());
}

}  // namespace

Scene::Scene() {
  places();
  entrances_ = {links().in, links().out, ifindex_of("tight0")};
  mtus_ = {{links().in, 1500}, {links().out, 1500}, {ifindex_of("tight0"), 1300}};
  egress_ = {links().in, links().out};
  for (const auto ifindex : egress_) open_egress(ifindex);
  const lb_vlan vlan{links().in, scene_vlan, 0};
  const auto key = ifindex_of("tagged0");
  if (::bpf_map_update_elem(pins().vlans().get(), &key, &vlan, BPF_ANY) != 0)
    throw SystemError(errno, "naming a VLAN device");
  networks_ = client_networks();
  add_tunnels();
  add_nat();
}

void Scene::add_tunnels() {
  PipelineService plain;
  PipelineService passes;
  passes.fragments = Fragments::pass;
  passes.ping = true;
  PipelineService by_source;
  by_source.fragments = Fragments::hash3;
  by_source.gue_port = 5555;
  PipelineService by_prefix;
  by_prefix.source_prefix = 23;
  for (unsigned i = 0; i < forwards.size(); i++)
    for (const std::string& vip :
         {"192.0.2.1" + std::to_string(i), "[2001:db8::1" + std::to_string(i) + "]"}) {
      add(vip + ":80/tcp", forwards.at(i), plain);
      add(vip + ":53/udp", forwards.at(i), by_source);
      add(vip + (i % 2 == 0 ? ":443/tcp" : ":0/tcp"), forwards.at(i), passes);
      if (i < 2) add(vip + ":0/udp", forwards.at(i + 2), by_prefix);
    }
  PipelineService wide = by_source;
  wide.source_prefix = 65;
  add("[2001:db8::20]:0/udp", Forward::gue, wide);
  for (const auto* id : {"192.0.2.21:80/tcp", "[2001:db8::21]:80/udp"}) {
    state().add_service(ServiceId::parse(id), {Forward::l2, Balance::slack, min_slots});
    services_.push_back({ServiceId::parse(id), state().service(ServiceId::parse(id)).number});
    services_.back().build_owners();
  }
}

void Scene::add(const std::string& id, Forward forward, const PipelineService& options) {
  auto service = options;
  service.id = ServiceId::parse(id);
  state().add_service(service.id, {.forward = forward,
                                   .balance = Balance::slack,
                                   .slots = service.slots,
                                   .gue_port = service.gue_port,
                                   .fragments = service.fragments,
                                   .source_prefix = service.source_prefix,
                                   .ping = service.ping,
                                   .pool = service.pool});
  service.number = state().service(service.id).number;
  add_backends(service, forward);
  service.build_owners();
  services_.push_back(std::move(service));
}

// Each place in one family, some with a mode of their own.
void Scene::add_backends(PipelineService& service, Forward forward) {
  for (std::size_t i = 0; i < places().size(); i++) {
    const auto& place = places()[i];
    const auto own = own_forward(forward, service.mixed, services_.size(), i);
    const bool v4 = rewrites(forward) ? service.id.vip.is_v4() : (services_.size() + i) % 3 != 0;
    PipelineBackend backend{{ip(v4 ? place.v4 : place.v6)}};
    backend.forward = own.value_or(forward);
    // Whose reply it is, a backend's port alone tells.
    if (rewrites(backend.forward))
      backend.id.port = static_cast<std::uint16_t>(8000 + services_.size());
    backend.weight = place.weight;
    backend.drain = place.drain;
    backend.local = place.local;
    backend.way = place.way;
    if (!place.no_source) backend.source = ip(v4 ? "10.9.0.1" : "2001:db8:9::1");

    BackendChange change{backend.weight, std::nullopt};
    if (place.is_static) change.hop = hop_of(place.way);
    if (own) change.forward = own;
    if (backend.source) change.source = *backend.source;
    change.local = place.local;
    state().add_backend(service.id, backend.id, change);
    if (place.drain) state().set_backend(service.id, backend.id, {0, {}});
    backend.handle = state().find_backend(state().service(service.id), backend.id)->handle;
    service.backends.push_back(backend);
  }
}

// In the VIP's family, and with ports of their own.
void Scene::add_nat() {
  const auto options = [](Fragments fragments, unsigned prefix, const std::string& pool) {
    PipelineService service;
    service.fragments = fragments;
    service.source_prefix = prefix;
    if (!pool.empty()) service.pool = Pool::parse(pool);
    return service;
  };
  for (const bool v4 : {true, false}) {
    const std::string vip = v4 ? "192.0.2.3" : "[2001:db8::3";
    const std::string end = v4 ? "" : "]";
    const std::string pool = v4 ? "10.99.0.1-10.99.0.4" : "2001:db8:99::1-2001:db8:99::4";
    const std::string single = v4 ? "10.99.0.4" : "2001:db8:99::4";
    add(vip + "0" + end + ":80/tcp", Forward::nat, options(Fragments::drop, 0, ""));
    add(vip + "0" + end + ":53/udp", Forward::nat, options(Fragments::hash3, 0, ""));
    add(vip + "0" + end + ":443/tcp", Forward::nat, options(Fragments::hash3, 0, ""));
    add(vip + "0" + end + ":5353/udp", Forward::nat, options(Fragments::pass, 23, ""));
    add(vip + "1" + end + ":80/tcp", Forward::fullnat, options(Fragments::drop, 0, pool));
    add(vip + "1" + end + ":53/udp", Forward::fullnat, options(Fragments::pass, 0, pool));
    add(vip + "1" + end + ":443/tcp", Forward::fullnat, options(Fragments::pass, 19, single));
    auto mixed = options(Fragments::drop, 0, single);
    mixed.mixed = true;
    mixed.ping = true;
    add(vip + "2" + end + ":80/tcp", Forward::fullnat, mixed);
    add(vip + "2" + end + ":80/udp", Forward::fullnat, mixed);
  }
}

}  // namespace xdplb::test
