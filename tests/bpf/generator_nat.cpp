// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/generator_nat.h"

#include "tests/bpf/scene_clients.h"

namespace xdplb::test {

namespace {

constexpr std::size_t most_flows = 256;

std::vector<ServiceId> ids_of(const std::vector<PipelineService>& services) {
  std::vector<ServiceId> ids;
  for (const auto& service : services) ids.push_back(service.id);
  return ids;
}

Address this_host(bool v4) { return ip(v4 ? "10.9.0.1" : "2001:db8:9::1"); }

}  // namespace

NatGenerator::NatGenerator(const std::vector<PipelineService>& services, std::uint64_t seed)
    : Generator(ids_of(services), seed) {
  for (const auto& service : services) {
    bool rewrites = false;
    for (const auto& backend : service.backends) {
      if (backend.forward == Forward::nat) nat_backends_.push_back({&service, &backend});
      rewrites |= backend.forward == Forward::nat || backend.forward == Forward::fullnat;
    }
    if (rewrites) services_.push_back(&service);
  }
}

void NatGenerator::learn(const Flows::Flow& flow) {
  if (flows_.size() < most_flows)
    flows_.push_back(flow);
  else
    flows_[below(flows_.size())] = flow;
}

Address NatGenerator::client(bool v4) {
  if (one_in(16)) return this_host(v4);
  return client_address(v4, 1 + static_cast<unsigned>(below(client_network_count)),
                        1 + static_cast<unsigned>(below(6)));
}

// With whatever else packets may have.
PacketSpec NatGenerator::between(const Tuple& ends) {
  auto packet = spec({ends.to, ends.dport, Protocol{ends.proto}});
  packet.from = ends.from;
  packet.to = ends.to;
  packet.proto = ends.proto;
  packet.sport = ends.sport;
  packet.dport = ends.dport;
  constexpr std::array<std::uint8_t, 8> flags{0x10, 0x10, 0x18, 0x02, 0x12, 0x11, 0x04, 0x14};
  packet.flags = one_in(32) ? byte() : flags.at(below(flags.size()));
  if (one_in(2)) packet.tags.clear();
  if (!one_in(4)) {
    packet.more = false;
    packet.offset = 0;
    if (one_in(2)) packet.extensions.clear();
  }
  return packet;
}

Bytes NatGenerator::whole(const Tuple& ends) {
  const auto packet = between(ends);
  auto frame = build(packet);
  vary(frame, packet);
  return frame;
}

Tuple NatGenerator::asked() {
  const auto& service = *any_of(services_);
  return {client(service.id.vip.is_v4()), service.id.vip,
          static_cast<std::uint16_t>(40000 + below(3)), service.id.port,
          static_cast<std::uint8_t>(service.id.protocol)};
}

NatGenerator::Answer NatGenerator::nat_answer() {
  const auto& [service, backend] = any_of(nat_backends_);
  const auto to = client(service->id.vip.is_v4());
  const auto port = static_cast<std::uint16_t>(40000 + below(3));
  const auto proto = static_cast<std::uint8_t>(service->id.protocol);
  return {{backend->id.address, to, service->port_of(*backend), port, proto},
          {service->id.vip, to, service->id.port, port, proto}};
}

NatGenerator::Answer NatGenerator::answer() {
  if (flows_.empty() || one_in(3)) return nat_answer();
  const auto& flow = any_of(flows_);
  return {flow.sent.turned(), flow.asked.turned()};
}

// What is nearly an answer.
Tuple NatGenerator::stray() {
  auto ends = answer().sent;
  switch (below(5)) {
    case 0:
      ends.sport++;
      break;
    case 1:
      ends.from = client_address(ends.from.is_v4(), 1, 9);
      break;
    case 2:
      ends.dport = static_cast<std::uint16_t>(below(1024));
      break;
    case 3:
      ends.proto = ends.proto == proto_tcp ? proto_udp : proto_tcp;
      break;
    default:
      ends.from = any_of(nat_backends_).backend->id.address;
      break;
  }
  return ends;
}

// An ICMP error about a packet with these ends, to this address: from one of them, or a router.
Bytes NatGenerator::carry(const Tuple& about, Address target) {
  auto carrier = between({one_in(2) ? about.to : client(about.to.is_v4()), target, 0, 0, 0});
  carrier.payload = 0;
  return error_about(carrier, quote_of(between(about)));
}

Bytes NatGenerator::error_from_client() {
  const auto about = one_in(8) ? asked().turned() : answer().seen;
  return carry(about, about.from);
}

Bytes NatGenerator::error_from_backend() {
  const auto about = (one_in(8) ? stray() : answer().sent).turned();
  return bent_but_near(carry(about, about.from), about.from);
}

// An address near this host's own is a neighbour's, or none's: the model knows but networks.
Bytes NatGenerator::bent_but_near(Bytes frame, const Address& to) {
  return to == this_host(to.is_v4()) ? frame : perhaps_bent(std::move(frame), 6);
}

Bytes NatGenerator::reply(const Tuple& ends) { return bent_but_near(whole(ends), ends.to); }

Bytes NatGenerator::next() {
  if (one_in(2)) return Generator::next();
  switch (below(8)) {
    case 0:
      return perhaps_bent(error_from_client(), 6);
    case 1:
      return error_from_backend();
    case 2:
      return reply(stray());
    case 3:
    case 4:
    case 5:
      return perhaps_bent(whole(asked()), 6);
    default:
      return reply(answer().sent);
  }
}

}  // namespace xdplb::test
