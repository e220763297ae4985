// SPDX-License-Identifier: GPL-2.0-only
// The flows in the maps of tests/bpf/scene.h.
#include <bpf/bpf.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <functional>

#include "plugin/fd.h"
#include "tests/bpf/scene.h"

namespace xdplb::test {

namespace {

Fd open_flows(const Scene& scene) {
  return Fd(::bpf_obj_get((scene.pins().path() + "/lb_flows").c_str()));
}

// The data path's clock: units of 2^30 ns.
std::uint32_t clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const auto ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                  static_cast<std::uint64_t>(now.tv_nsec);
  return static_cast<std::uint32_t>(ns >> 30);
}

std::vector<lb_flow_key> keys_of(const Fd& flows) {
  std::vector<lb_flow_key> keys;
  lb_flow_key key{};
  for (lb_flow_key* at = nullptr; ::bpf_map_get_next_key(flows.get(), at, &key) == 0; at = &key)
    keys.push_back(key);
  return keys;
}

void for_each(const Scene& scene, const std::function<void(lb_flow&)>& change) {
  const auto flows = open_flows(scene);
  for (const auto& key : keys_of(flows)) {
    lb_flow flow{};
    if (::bpf_map_lookup_elem(flows.get(), &key, &flow) != 0) continue;
    change(flow);
    ::bpf_map_update_elem(flows.get(), &key, &flow, BPF_EXIST);
  }
}

Address address_of(const __u64 (&words)[2]) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), words, sizeof(words));
  return Address(bytes);
}

lb_flow_key key_of(const Tuple& tuple) {
  lb_flow_key key{};
  std::memcpy(key.src, tuple.from.bytes().data(), sizeof(key.src));
  std::memcpy(key.dst, tuple.to.bytes().data(), sizeof(key.dst));
  Bytes ports(4);
  put16(ports, 0, tuple.sport);
  put16(ports, 2, tuple.dport);
  std::memcpy(&key.ports, ports.data(), sizeof(key.ports));
  key.proto = tuple.proto;
  return key;
}

Tuple tuple_of(const lb_flow_key& key) {
  Bytes ports(4);
  std::memcpy(ports.data(), &key.ports, sizeof(key.ports));
  return {address_of(key.src), address_of(key.dst), get16(ports, 0), get16(ports, 2), key.proto};
}

}  // namespace

void Scene::hold_clock() {
  const auto now = clock_now();
  const auto passed = now - std::exchange(clock_, now);
  if (passed != 0)
    for_each(*this, [&](lb_flow& flow) { flow.seen += std::min(passed, now - flow.seen); });
}

void Scene::age(unsigned seconds) {
  for_each(*this, [&](lb_flow& flow) { flow.seen -= seconds; });
}

void Scene::forget_flows() {
  const auto flows = open_flows(*this);
  for (const auto& key : keys_of(flows)) ::bpf_map_delete_elem(flows.get(), &key);
}

std::optional<Tuple> Scene::forget(const Tuple& asked) {
  const auto flows = open_flows(*this);
  const auto key = key_of(asked);
  lb_flow flow{};
  if (::bpf_map_lookup_elem(flows.get(), &key, &flow) != 0) return {};
  const auto sent = tuple_of(flow.becomes);
  const auto other = key_of(sent.turned());
  ::bpf_map_delete_elem(flows.get(), &key);
  ::bpf_map_delete_elem(flows.get(), &other);
  return sent;
}

}  // namespace xdplb::test
