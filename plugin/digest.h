// SPDX-License-Identifier: GPL-2.0-only
// Whether nodes decide alike: hashes of what decides for a flow.
//
// tables   of a service: its address, its flow hash's keys and prefix, what it takes of fragments,
//          and of each slot the current backend's address and port. Two nodes have the same exactly
//          when each slot's current backend is the same on both, and then each new TCP connection's
//          is. New flows of UDP follow the previous one in a slot that has changed, while they may
//          be old ones: that only epochs has.
// epochs   of each slot that has changed, its previous backend too; and of each, its second choice.
//
// A hash is 128 bits, of two SipHash-2-4 with fixed keys; that of a node is of those of its
// services in the order of their ids. Handles, places in the arena and deadlines make no
// difference.
#pragma once

#include <string>
#include <vector>

#include "plugin/state.h"

namespace xdplb {

struct ServiceDigest {
  std::string service;
  std::string tables;  // in hexadecimal digits
  std::string epochs;
  unsigned wrong = 0;  // slots whose current backend isn't what the configuration means
};

struct Digest {
  std::string tables;
  std::string epochs;
  std::vector<ServiceDigest> services;  // by id
};

// Tables are made anew from what services and backends say, and compared with those in the maps.
Digest digest_of(const Pins& pins);

}  // namespace xdplb
