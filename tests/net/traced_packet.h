// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What 'xdp-lb trace' says, and what must not change by that.

#include "tests/net/fixture.h"
#include "tests/support/packet.h"

namespace xdplb::test {

// The document of 'xdp-lb trace' with these arguments; the status must be that.
nlohmann::json trace(const Loader& loader, const std::string& arguments, int status = 0);
// The first packet of it.
nlohmann::json trace_one(const Loader& loader, const std::string& arguments, int status = 0);

// A pcap file of these frames, as 'trace --pcap' takes it; a second from one to the next.
std::string write_capture(const std::vector<Bytes>& frames);
std::vector<Bytes> read_capture(const std::string& name);
Bytes from_hex(const std::string& text);

// A packet of a client to that.
PacketSpec spec_to(const std::string& address, std::uint16_t dport);

void send_frames(const Host& host, const std::string& ifname, const std::vector<Bytes>& frames);

// Every entry of every pinned map, of each CPU, by map.
using Dump = std::map<std::string, std::string>;
Dump dump_maps();

}  // namespace xdplb::test
