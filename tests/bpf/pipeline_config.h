// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What the model of the data path (pipeline.h) knows of the configuration, and its second step:
// which backend a flow of a service has.

#include <optional>
#include <vector>

#include "tests/bpf/model.h"

namespace xdplb::test {

// How a backend is reached.
struct Way {
  enum Tags : std::uint8_t { as_they_came, none, one } tags = as_they_came;
  std::uint32_t ifindex = 0;
  Mac dst{};
  Mac src{};
  unsigned mtu = 0;                  // 0: not known
  std::uint16_t vlan = 0;            // of the one tag
  bool gateway = false;              // in between
  lb_reason trouble = LB_FORWARDED;  // or why it can't be
};

struct PipelineBackend {
  BackendId id{};
  std::uint32_t handle = 0;
  unsigned weight = 1;
  bool drain = false;
  Forward forward = Forward::l2;
  std::optional<Address> source{};  // of outer headers
  bool local = false;
  Way way{};
};

// Where the kernel's routes lead to, and so replies to clients in there.
struct Network {
  Address first{};
  unsigned bits = 0;
  Way way{};
  Address own{};  // the host's in it

  [[nodiscard]] bool contains(const Address& address) const;
};

struct PipelineService {
  struct Pick {
    const PipelineBackend* backend;  // none: nullptr
    std::uint16_t entropy;
  };

  ServiceId id{};
  std::uint32_t number = 0;
  unsigned slots = min_slots;
  std::uint16_t gue_port = default_gue_port;
  Fragments fragments = Fragments::drop;
  unsigned source_prefix = 0;
  bool ping = false;
  Pool pool{};
  bool mixed = false;  // its backends have modes of their own
  std::vector<PipelineBackend> backends{};
  std::vector<std::uint16_t> owners{};  // of slots: 1 is the first backend, 0 none

  // The port that packets to the backend have.
  [[nodiscard]] std::uint16_t port_of(const PipelineBackend& backend) const {
    return backend.id.port != 0 ? backend.id.port : id.port;
  }
  void build_owners();
  [[nodiscard]] Pick pick(const Address& client, std::uint16_t sport, std::uint16_t dport) const;
};

}  // namespace xdplb::test
