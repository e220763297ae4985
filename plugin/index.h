// SPDX-License-Identifier: GPL-2.0-only
// Builds the service index of bpf/abi.h: a perfect hash by hash and displace. Pure: the result is
// the bytes to copy into the arena and the reference that makes them live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bpf/abi.h"
#include "plugin/address.h"
#include "plugin/options.h"
#include "plugin/pool.h"

namespace xdplb {

struct IndexKey {
  ServiceId id;
  std::uint32_t service;   // its number
  bool fragments = false;  // it takes the VIP's fragments of its protocol, those without ports too
  bool ping = false;       // it has the VIP's echo requests answered
  Pool pool{};             // source addresses of mode fullnat
  std::vector<BackendId> replies{};  // backends of mode nat; port 0: the service's
};

// What the options say of the key.
void take_options(IndexKey& key, const ServiceOptions& options);

struct Index {
  lb_index_ref ref{};  // line is 0: the caller knows where the bytes go
  std::vector<std::byte> bytes;
};

// Entries for each service, as bpf/service_index.h has them. No keys: no bytes. Throws
// std::runtime_error where no seed works, which duplicate keys alone can bring about.
Index build_index(std::span<const IndexKey> keys);

lb_family family_of(const Address& address);

}  // namespace xdplb
