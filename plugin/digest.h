// SPDX-License-Identifier: GPL-2.0-only
// Whether nodes decide alike: hashes of what decides for a flow.
//
// tables     of a service: its address, its flow hash's keys and prefix, what it takes of
//            fragments, and of each slot the current backend's address and port. Two nodes with the
//            same send each new TCP connection to the same backend, but where SYNs don't count.
// new_flows  likewise, with the backend that a slot's new flows go to now: those of UDP follow the
//            previous one in a slot that has changed, while they may be old ones.
// epochs     likewise, with the backend of flows that nothing is remembered of; and with second
//            chances all that a slot has.
//
// A hash is 128 bits, of two SipHash-2-4 with fixed keys; that of a node is of those of its
// services in the order of their ids. Handles and places in the arena make no difference, nor do
// deadlines but by being over or not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/state.h"

namespace xdplb {

struct ServiceDigest {
  std::string service;
  std::string tables;  // in hexadecimal digits
  std::string new_flows;
  std::string epochs;
  std::uint32_t seconds = 0;  // until its last epoch is over
  unsigned wrong = 0;         // slots whose current backend isn't what the configuration means
};

struct Digest {
  std::string tables;
  std::string epochs;
  std::vector<ServiceDigest> services;  // by id
};

// Tables are made anew from what services and backends say, and compared with those in the maps.
Digest digest_of(const Pins& pins);

}  // namespace xdplb
