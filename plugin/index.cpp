// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/index.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>

namespace xdplb {

namespace {

// RFC 792, RFC 4443
constexpr std::uint8_t icmp = 1;
constexpr std::uint8_t icmpv6 = 58;

constexpr unsigned max_displacements = 1U << 16;

lb_index_entry make_entry(const Address& address, std::uint16_t port, std::uint8_t proto,
                          std::uint32_t service) {
  lb_index_entry entry{};
  std::memcpy(entry.addr, address.bytes().data(), sizeof(entry.addr));
  entry.tag = lb_index_tag(htons(port), proto, static_cast<std::uint8_t>(family_of(address)));
  entry.service = service;
  return entry;
}

// Those by which packets of mode nat and fullnat that come back are known.
void add_returns(std::vector<lb_index_entry>& entries, const IndexKey& key,
                 std::set<Address>& pools) {
  const auto proto = static_cast<std::uint8_t>(key.id.protocol);
  std::set<Address> with_fragments;
  for (const auto& backend : key.replies) {
    const auto port = backend.port != 0 ? backend.port : key.id.port;
    entries.push_back(make_entry(backend.address, port, proto, key.service));
    entries.back().tag |= LB_INDEX_BACKEND << 24;
    if (!key.fragments || !with_fragments.insert(backend.address).second) continue;
    entries.push_back(make_entry(backend.address, 0, proto, key.service));
    entries.back().tag |= (LB_INDEX_BACKEND | LB_INDEX_FRAGMENT) << 24;
  }
  for (unsigned i = 0; i < key.pool.count; i++) {
    if (!pools.insert(key.pool.at(i)).second) continue;
    entries.push_back(make_entry(key.pool.at(i), 0, 0, key.service));
    entries.back().tag |= LB_INDEX_POOL << 24;
  }
}

std::vector<lb_index_entry> make_entries(std::span<const IndexKey> keys) {
  std::vector<lb_index_entry> entries;
  std::set<Address> vips;
  std::set<Address> pools;
  std::set<Address> pings;
  for (const auto& key : keys) {
    const bool v4 = key.id.vip.is_v4();
    const auto proto = static_cast<std::uint8_t>(key.id.protocol);
    if (key.fragments) {
      entries.push_back(make_entry(key.id.vip, 0, proto, key.service));
      entries.back().tag |= LB_INDEX_FRAGMENT << 24;
    }
    if (key.ping && pings.insert(key.id.vip).second)
      entries.push_back(make_entry(key.id.vip, 0, v4 ? icmp : icmpv6, key.service));
    entries.push_back(make_entry(key.id.vip, key.id.port, proto, key.service));
    if (vips.insert(key.id.vip).second)
      entries.push_back(make_entry(key.id.vip, 0, 0, LB_VIP_ENTRY));
    add_returns(entries, key, pools);
  }
  return entries;
}

struct Placement {
  std::vector<std::uint16_t> displacements;
  std::vector<std::uint32_t> places;  // of each entry
};

// One bucket after the other, the fullest first, takes the first displacement at which all of its
// entries fall on free places.
class Placer {
 public:
  Placer(std::span<const std::uint64_t> hashes, unsigned bucket_bits, unsigned entry_bits)
      : hashes_(hashes),
        mask_((1U << entry_bits) - 1),
        buckets_(std::size_t{1} << bucket_bits),
        taken_(std::size_t{1} << entry_bits) {
    for (std::uint32_t i = 0; i < hashes.size(); i++)
      buckets_[hashes[i] & (buckets_.size() - 1)].push_back(i);
    placement_.displacements.resize(buckets_.size());
    placement_.places.resize(hashes.size());
  }

  std::optional<Placement> place() {
    std::vector<std::size_t> order(buckets_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [this](auto a, auto b) { return buckets_[a].size() > buckets_[b].size(); });
    for (const auto bucket : order)
      if (!place_bucket(bucket)) return std::nullopt;
    return std::move(placement_);
  }

 private:
  bool place_bucket(std::size_t bucket) {
    const unsigned tries = std::min(max_displacements, mask_ + 1);
    for (unsigned displacement = 0; displacement < tries; displacement++) {
      if (!fits(buckets_[bucket], displacement)) continue;
      placement_.displacements[bucket] = static_cast<std::uint16_t>(displacement);
      return true;
    }
    return false;
  }

  // Takes the places of the bucket's entries, or none.
  bool fits(const std::vector<std::uint32_t>& entries, unsigned displacement) {
    for (std::size_t i = 0; i < entries.size(); i++) {
      const auto place = static_cast<std::uint32_t>(hashes_[entries[i]] >> 32) + displacement;
      placement_.places[entries[i]] = place & mask_;
      if (taken_[place & mask_]) {
        while (i-- > 0) taken_[placement_.places[entries[i]]] = false;
        return false;
      }
      taken_[place & mask_] = true;
    }
    return true;
  }

  std::span<const std::uint64_t> hashes_;
  std::uint32_t mask_;
  std::vector<std::vector<std::uint32_t>> buckets_;
  std::vector<bool> taken_;
  Placement placement_;
};

std::vector<std::byte> to_bytes(const std::vector<lb_index_entry>& entries,
                                const Placement& placement, unsigned entry_bits) {
  const std::size_t head =
      (placement.displacements.size() * sizeof(std::uint16_t) + LB_LINE - 1) / LB_LINE * LB_LINE;
  std::vector<std::byte> bytes(head + (sizeof(lb_index_entry) << entry_bits));
  std::memcpy(bytes.data(), placement.displacements.data(),
              placement.displacements.size() * sizeof(std::uint16_t));
  for (std::size_t i = 0; i < entries.size(); i++)
    std::memcpy(bytes.data() + head + placement.places[i] * sizeof(lb_index_entry), &entries[i],
                sizeof(lb_index_entry));
  return bytes;
}

std::uint8_t flags_of(std::span<const IndexKey> keys) {
  std::uint8_t flags = 0;
  for (const auto& key : keys) {
    if (key.id.port == 0) flags |= LB_INDEX_HAS_ANY_PORT;
    if (!key.replies.empty()) flags |= LB_INDEX_HAS_NAT;
    if (key.pool.count != 0) flags |= LB_INDEX_HAS_POOL;
  }
  return flags;
}

}  // namespace

lb_family family_of(const Address& address) { return address.is_v4() ? LB_IPV4 : LB_IPV6; }

void take_options(IndexKey& key, const ServiceOptions& options) {
  key.fragments = options.fragments == Fragments::hash3;
  key.ping = options.ping;
  key.pool = options.pool;
}

Index build_index(std::span<const IndexKey> keys) {
  Index index;
  if (keys.empty()) return index;
  const auto entries = make_entries(keys);
  // Two entries to three places, two entries to a bucket: found at the first seeds.
  const auto entry_bits = static_cast<unsigned>(std::bit_width(entries.size() * 3 / 2));
  const auto bucket_bits = static_cast<unsigned>(std::bit_width(entries.size() / 2));
  for (unsigned seed = 0; seed < 256; seed++) {
    std::vector<std::uint64_t> hashes;
    hashes.reserve(entries.size());
    for (const auto& entry : entries)
      hashes.push_back(
          lb_index_hash(entry.addr[0], entry.addr[1], entry.tag, static_cast<std::uint8_t>(seed)));
    const auto placement = Placer(hashes, bucket_bits, entry_bits).place();
    if (!placement) continue;
    index.ref.bucket_bits = static_cast<std::uint8_t>(bucket_bits);
    index.ref.entry_bits = static_cast<std::uint8_t>(entry_bits);
    index.ref.seed = static_cast<std::uint8_t>(seed);
    index.ref.flags = flags_of(keys);
    index.bytes = to_bytes(entries, *placement, entry_bits);
    return index;
  }
  throw std::runtime_error("no perfect hash was found for the service index");
}

}  // namespace xdplb
