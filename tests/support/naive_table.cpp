// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/naive_table.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

namespace xdplb::test {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u64 G = 0x9e3779b97f4a7c15;

u64 mix(u64 x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

u64 id_of(u64 seed, const TableBackend& b) {
  u64 halves[2] = {0, 0};
  for (int i = 0; i < 16; ++i) halves[i / 8] = halves[i / 8] * 256 + b.addr[i];
  u64 h = mix(seed + G);
  h = mix((h ^ halves[0]) + G);
  h = mix((h ^ halves[1]) + G);
  return mix((h ^ b.port) + G);
}

struct Scored {
  u64 v;
  std::size_t slot;
  std::size_t backend;  // as in the specification's `backends`
};

// The naive tables of one TableSpec; a backend is named by its place in it throughout.
struct Naive {
  const TableSpec& spec;
  const std::size_t M;
  const std::size_t n;
  std::vector<std::size_t> idx;            // a backend: its place in canonical order
  std::vector<std::vector<Scored>> lists;  // a slot: all backends, best first

  explicit Naive(const TableSpec& s)
      : spec(s), M(std::size_t{1} << s.k), n(s.backends.size()), idx(n), lists(M) {
    std::vector<std::size_t> order;
    for (std::size_t b = 0; b < n; ++b) order.push_back(b);
    const auto canonical = [&](std::size_t b) {
      const TableBackend& backend = spec.backends[b];
      return std::make_tuple(id_of(spec.seed, backend), backend.addr, backend.port);
    };
    std::sort(order.begin(), order.end(),
              [&](std::size_t x, std::size_t y) { return canonical(x) < canonical(y); });
    for (std::size_t i = 0; i < n; ++i) idx[order[i]] = i;
    for (std::size_t b = 0; b < n; ++b) score(b);
    for (auto& list : lists) sort(list);
  }

  static void sort(std::vector<Scored>& pairs) {
    std::sort(pairs.begin(), pairs.end(),
              [](const Scored& x, const Scored& y) { return x.v < y.v; });
  }

  void score(std::size_t b) {
    const u64 id = id_of(spec.seed, spec.backends[b]);
    const u64 m = M - 1;
    const unsigned hs = spec.k / 2 + spec.k % 2;
    const u64 R = (u64{1} << 32) / spec.backends[b].weight;
    u64 h[5];
    for (u64 j = 1; j <= 4; ++j) h[j] = mix(id + j * G);
    const u64 C = (((h[4] >> 48) << (28 - spec.k)) >> 16) * R;
    u64 E = 0;
    for (u64 r = 0; r < M; ++r) {
      u32 x = static_cast<u32>(r);
      for (int j = 0; j < 3; ++j) {
        if (j > 0) x ^= x >> hs;
        x = (x * (static_cast<u32>(h[j + 1]) | 1) + static_cast<u32>(h[j + 1] >> 32)) & m;
      }
      const u64 key = E * R + C;
      lists[x].push_back({key / 65536 * 65536 + idx[b], x, b});
      E += (u64{1} << 28) / (M - r);
    }
  }

  bool serves(std::size_t b) const { return !spec.backends[b].drain; }

  std::vector<u64> caps() const {
    u64 W = 0;
    for (std::size_t b = 0; b < n; ++b) W += serves(b) ? spec.backends[b].weight : 0;
    std::vector<u64> caps(n, 0);
    std::vector<std::tuple<u64, std::size_t, std::size_t>> remainders;
    u64 sum = 0;
    for (std::size_t b = 0; b < n; ++b) {
      if (!serves(b)) continue;
      const u64 Mw = M * spec.backends[b].weight;
      if (spec.balance == Balance::off) caps[b] = M;
      if (spec.balance == Balance::slack) {
        caps[b] = (Mw * (1000 + spec.slack_permille) + 1000 * W - 1) / (1000 * W);
      }
      if (spec.balance == Balance::exact) {
        sum += caps[b] = Mw / W;
        remainders.emplace_back(W - Mw % W, idx[b], b);
      }
    }
    std::sort(remainders.begin(), remainders.end());
    for (std::size_t i = 0; i < remainders.size() && sum < M; ++i, ++sum) {
      ++caps[std::get<2>(remainders[i])];
    }
    return caps;
  }

  // The first of the slot's list for which the condition holds.
  template <class Condition>
  std::uint16_t best(std::size_t slot, Condition condition) const {
    for (const Scored& s : lists[slot]) {
      if (condition(s.backend)) return static_cast<std::uint16_t>(s.backend);
    }
    return no_backend;
  }

  std::vector<std::uint16_t> owners(const std::vector<u64>& cap) const {
    std::vector<Scored> pairs;
    pairs.reserve(M * n);
    for (const auto& list : lists) pairs.insert(pairs.end(), list.begin(), list.end());
    sort(pairs);
    std::vector<u64> count(n, 0);
    std::vector<std::uint16_t> owner(M, no_backend);
    for (const Scored& s : pairs) {
      if (!serves(s.backend) || owner[s.slot] != no_backend) continue;
      if (count[s.backend] == cap[s.backend]) continue;
      owner[s.slot] = static_cast<std::uint16_t>(s.backend);
      ++count[s.backend];
    }
    return owner;
  }

  Table table() const {
    Table t;
    const std::vector<u64> cap = caps();
    std::vector<u64> wanted(n, 0);
    bool any_healthy = false;
    for (std::size_t b = 0; b < n; ++b) any_healthy |= serves(b) && spec.backends[b].healthy;
    for (std::size_t slot = 0; slot < M; ++slot) {
      t.first.push_back(best(slot, [&](std::size_t b) { return serves(b); }));
      if (t.first[slot] != no_backend) ++wanted[t.first[slot]];
    }
    for (std::size_t b = 0; b < n; ++b) t.caps_binding |= wanted[b] > cap[b];
    if (spec.balance != Balance::off) t.first = owners(cap);

    for (std::size_t slot = 0; slot < M; ++slot) {
      std::uint16_t& first = t.first[slot];
      if (any_healthy && !spec.backends[first].healthy) {
        first = best(slot, [&](std::size_t b) { return serves(b) && spec.backends[b].healthy; });
      }
      if (spec.second) {
        t.second.push_back(best(slot, [&](std::size_t b) { return b != t.first[slot]; }));
      }
    }
    return t;
  }
};

}  // namespace

Table naive_table(const TableSpec& spec) { return Naive(spec).table(); }

}  // namespace xdplb::test
