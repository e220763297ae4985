// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/fullnat_net.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cstring>
#include <functional>
#include <stdexcept>

namespace xdplb::test {

namespace {

Fd open_flows(const Balancer& balancer) {
  return Fd(::bpf_obj_get(pin_of(balancer.pins().path(), "lb_flows").c_str()));
}

std::vector<lb_flow_key> keys_of(const Fd& flows) {
  std::vector<lb_flow_key> keys;
  lb_flow_key key{};
  for (lb_flow_key* at = nullptr; ::bpf_map_get_next_key(flows.get(), at, &key) == 0; at = &key)
    keys.push_back(key);
  return keys;
}

}  // namespace

Ends ends_of(const Bytes& frame) {
  const bool v4 = frame.at(14) >> 4 == 4;
  const auto address = [&](long at) {
    std::array<std::uint8_t, 16> bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::copy_n(frame.begin() + at, v4 ? 4 : 16, bytes.begin() + (v4 ? 12 : 0));
    return Address(bytes);
  };
  const std::size_t l4 = v4 ? 34 : 54;
  return {address(v4 ? 26 : 22), address(v4 ? 30 : 38), get16(frame, l4), get16(frame, l4 + 2)};
}

Run FullnatNetwork::send(const PacketSpec& spec) const { return run(build(spec), links().out); }

Ends FullnatNetwork::ends(const PacketSpec& spec) const { return ends_of(send(spec).out); }

bool FullnatNetwork::returns(const NatFamily& family, std::uint8_t proto, const Ends& ends) const {
  return run(build(answer(family, proto, ends)), links().in).verdict == XDP_REDIRECT;
}

void FullnatNetwork::age(std::uint32_t seconds) const {
  const auto flows = open_flows(*this);
  for (const auto& key : keys_of(flows)) {
    lb_flow flow{};
    ::bpf_map_lookup_elem(flows.get(), &key, &flow);
    flow.seen -= seconds;
    ::bpf_map_update_elem(flows.get(), &key, &flow, BPF_EXIST);
  }
}

void FullnatNetwork::lose(const Address& from) const {
  const auto flows = open_flows(*this);
  unsigned lost = 0;
  for (const auto& key : keys_of(flows))
    if (std::memcmp(key.src, from.bytes().data(), sizeof(key.src)) == 0)
      lost += ::bpf_map_delete_elem(flows.get(), &key) == 0 ? 1 : 0;
  if (lost == 0) throw std::logic_error("there was no such entry to lose");
}

PacketSpec rewritten(const PacketSpec& spec, const NatFamily& family, const Ends& ends) {
  auto wanted = to_backend(spec, family);
  wanted.from = ends.from;
  wanted.sport = ends.sport;
  return wanted;
}

PacketSpec answer(const NatFamily& family, std::uint8_t proto, const Ends& ends) {
  auto spec = from_backend(family, proto);
  spec.to = ends.from;
  spec.dport = ends.sport;
  return spec;
}

PacketSpec answered(const PacketSpec& spec, const NatFamily& family, const PacketSpec& asked) {
  auto wanted = to_client(spec, family);
  wanted.to = asked.from;
  wanted.dport = asked.sport;
  return wanted;
}

}  // namespace xdplb::test
