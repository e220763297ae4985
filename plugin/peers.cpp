// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/peers.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>

#include "plugin/error.h"

namespace xdplb {

namespace {

// A link address, with 0 as its second word, or an address.
using Words = std::array<__u64, 2>;

constexpr Words none{};

Words words_of(const Peer& peer) {
  Words words{};
  if (const auto* mac = std::get_if<Mac>(&peer))
    words[0] = lb_peer(mac->data());
  else
    words = std::bit_cast<Words>(std::get<Address>(peer).bytes());
  return words;
}

// All places of one kind of peer, as they are and as they become.
class Places {
 public:
  Places(const Pins& pins, bool links) : meta_(pins.meta()), links_(links) {
    for (std::size_t i = 0; i < places_.size(); i++) {
      places_[i] = {load(first(i)), links ? 0 : load(meta_.peer_addr[i][1])};
      if (is_half(places_[i])) places_[i] = none;
    }
  }

  [[nodiscard]] std::vector<Peer> all() const {
    std::vector<Peer> peers;
    for (const auto& place : places_)
      if (place != none) peers.push_back(peer_at(place));
    std::ranges::sort(peers);
    return peers;
  }

  void become(const std::vector<Peer>& peers) {
    std::set<Words> wanted;
    for (const auto& peer : peers)
      if (std::holds_alternative<Mac>(peer) == links_) wanted.insert(words_of(peer));
    for (auto& place : places_)
      if (wanted.erase(place) == 0) place = none;
    for (const auto& words : wanted) put(words);
  }

  void write() {
    for (std::size_t i = 0; i < places_.size(); i++)
      if (links_)
        change(first(i), places_[i][0]);
      else
        write_address(i);
  }

  // What packets are told: whether there are any.
  [[nodiscard]] std::uint32_t kind() const {
    const bool any = std::ranges::any_of(places_, [](const auto& place) { return place != none; });
    return any ? (links_ ? LB_PEERS_LINKS : LB_PEERS_ADDRESSES) : 0;
  }

 private:
  static void change(__u64& word, __u64 value) {
    if (load(word) != value) store(word, value);
  }
  // Between these stores the place has no address, or one that is_half().
  void write_address(std::size_t i) {
    auto& [first, second] = meta_.peer_addr[i];
    if (load(second) != places_[i][1]) {
      change(first, 0);
      store(second, places_[i][1]);
    }
    change(first, places_[i][0]);
  }
  // Left by who died between two stores.
  [[nodiscard]] bool is_half(const Words& words) const {
    return !links_ && words[0] == 0 && !std::get<Address>(peer_at(words)).is_v4();
  }

  [[nodiscard]] __u64& first(std::size_t place) const {
    return links_ ? meta_.peer[place] : meta_.peer_addr[place][0];
  }

  [[nodiscard]] Peer peer_at(const Words& words) const {
    if (!links_) return Address(std::bit_cast<std::array<std::uint8_t, 16>>(words));
    Mac mac;
    std::memcpy(mac.data(), words.data(), mac.size());  // little-endian, as flow.h demands
    return mac;
  }

  void put(const Words& words) {
    for (std::uint32_t attempt = 0; attempt < LB_PEER_TRIES; attempt++) {
      auto& place = places_[lb_peer_place(words[0] + words[1], attempt)];
      if (place != none) continue;
      place = words;
      return;
    }
    throw Error("there is no room for peer " + to_string(peer_at(words)), "have fewer peers");
  }

  lb_meta& meta_;
  bool links_;
  std::array<Words, LB_PEER_PLACES> places_{};
};

}  // namespace

std::vector<Peer> peers_of(const Pins& pins) {
  auto all = Places(pins, true).all();
  for (const auto& peer : Places(pins, false).all()) all.push_back(peer);
  return all;
}

void set_peers(const Pins& pins, const std::vector<Peer>& peers) {
  if (const auto wrong = too_many_peers(peers)) throw Error(*wrong, "have fewer peers");
  Places links(pins, true);
  Places addresses(pins, false);
  links.become(peers);
  addresses.become(peers);
  const auto kinds = links.kind() | addresses.kind();
  auto& told = pins.arena().as<lb_arena_head>()[0].peers;
  store(told, load(told) | kinds);  // killed, it leaves no place that packets don't look at
  links.write();
  addresses.write();
  store(told, kinds);
}

}  // namespace xdplb
