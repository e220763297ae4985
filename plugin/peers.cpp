// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/peers.h"

#include <algorithm>
#include <array>
#include <set>

#include "plugin/error.h"

namespace xdplb {

namespace {

Mac mac_of(std::uint64_t peer) {
  Mac mac;
  for (auto& byte : mac) {
    byte = static_cast<std::uint8_t>(peer);
    peer >>= 8;
  }
  return mac;
}

using Places = std::array<__u64, LB_PEER_PLACES>;

Places places_of(const Pins& pins) {
  Places places{};
  std::ranges::transform(pins.meta().peer, places.begin(),
                         [](const auto& place) { return load(place); });
  return places;
}

void put(Places& places, std::uint64_t peer) {
  for (std::uint32_t attempt = 0; attempt < LB_PEER_TRIES; attempt++) {
    auto& place = places[lb_peer_place(peer, attempt)];
    if (place != 0) continue;
    place = peer;
    return;
  }
  throw Error("there is no room for peer " + to_string(mac_of(peer)), "have fewer peers");
}

}  // namespace

std::vector<Mac> peers_of(const Pins& pins) {
  std::vector<Mac> all;
  for (const auto peer : places_of(pins))
    if (peer != 0) all.push_back(mac_of(peer));
  std::ranges::sort(all);
  return all;
}

void set_peers(const Pins& pins, const std::vector<Mac>& peers) {
  std::set<std::uint64_t> wanted;
  for (const auto& mac : peers) wanted.insert(lb_peer(mac.data()));
  if (wanted.size() > LB_PEERS)
    throw Error(std::to_string(wanted.size()) + " peers are more than " + std::to_string(LB_PEERS),
                "have fewer peers");
  const bool any = !wanted.empty();
  auto places = places_of(pins);
  for (auto& place : places)
    if (wanted.erase(place) == 0) place = 0;
  for (const auto peer : wanted) put(places, peer);
  for (std::size_t i = 0; i < places.size(); i++)
    if (__u64& place = pins.meta().peer[i]; load(place) != places[i]) store(place, places[i]);
  store(pins.arena().as<lb_arena_head>()[0].peers, std::uint32_t{any});
}

}  // namespace xdplb
