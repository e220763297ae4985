// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bpf/pipeline_config.h"

namespace xdplb::test {

namespace {

// The address with all but its first bits zero.
Address prefix_of(const Address& address, unsigned bits) {
  auto bytes = address.bytes();
  for (std::size_t bit = bits; bit < 128; bit++)
    bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
  return Address(bytes);
}

}  // namespace

bool Network::contains(const Address& address) const {
  return address != own && first.is_v4() == address.is_v4() &&
         prefix_of(address, first.is_v4() ? 96 + bits : bits) == first;
}

void PipelineService::build_owners() {
  ModelService model{id, slots, Balance::slack, {}};
  for (const auto& backend : backends)
    model.backends.push_back({backend.id.address.to_string(),
                              static_cast<std::uint16_t>(model.backends.size() + 1), backend.weight,
                              backend.drain, backend.id.port});
  owners = model.owners();
}

PipelineService::Pick PipelineService::pick(const Address& client, std::uint16_t sport,
                                            std::uint16_t dport) const {
  const ModelService model{id, slots, Balance::slack, {}};
  auto bits = source_prefix;
  if (bits == 0 && fragments == Fragments::hash3) bits = all_bits(id);
  const auto hash = bits == 0
                        ? model.hash_of(client, sport, dport)
                        : model.hash_of(prefix_of(client, id.vip.is_v4() ? 96 + bits : bits), 0, 0);
  const auto owner = owners.at(hash % slots);
  return {owner == 0 ? nullptr : &backends.at(owner - 1U), static_cast<std::uint16_t>(hash >> 48)};
}

}  // namespace xdplb::test
