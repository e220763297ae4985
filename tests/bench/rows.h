// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// What is measured: the services of the benchmark, and the streams of packets to them.

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/bpf_fixture.h"

namespace xdplb::bench {

inline constexpr unsigned backends = 64;  // of each service; a power of two, as flows are

// A program's verdict, by how many bytes packets grow, the reason that the product counts, and
// whether the link addresses are written.
struct Wanted {
  std::uint32_t verdict;
  int growth;
  int reason;  // enum lb_reason; or uncounted
  bool rewritten;
};
inline constexpr int uncounted = -1;

struct Row {
  std::string series;  // rows of one series differ in their number of flows alone
  std::string program;
  test::Bytes frame;
  std::uint64_t flows;              // a power of two
  std::array<std::uint16_t, 2> at;  // where a flow's number is written, its halves
  Wanted wanted;
  double target = 0;       // most that it should cost, in nets of the ipip floor; 0: none
  std::uint16_t base = 0;  // what the low half counts from
  test::Balancer* balancer = nullptr;  // whose services, programs and counters
  bool on_top = false;                 // its cost comes on top of the row's before it

  [[nodiscard]] std::string name() const;
  [[nodiscard]] bool v4() const;
};

// Packets come in by this interface and leave by it. Modes nat and fullnat are other balancers':
// where they are on, other packets pay for it.
void add_services(test::Balancer& balancer, std::uint32_t ifindex);
void add_nat_services(test::Balancer& balancer, std::uint32_t ifindex);
void add_fullnat_services(test::Balancer& balancer, std::uint32_t ifindex);
// Whom replies are to: the interface must lead there.
inline constexpr auto client_v4 = "198.18.0.1", client_v6 = "2001:db8:1::1";

// The first is what the others' costs are net of.
std::vector<Row> path_rows(test::Balancer& balancer);
std::vector<Row> nat_rows(test::Balancer& balancer);
std::vector<Row> fullnat_rows(test::Balancer& balancer);
inline constexpr const char* ipip_floor = "parse and ipip, v4";

// And where flows are remembered, as rows to other services of path.
void add_epoch_services(test::Balancer& balancer, std::uint32_t ifindex);
std::vector<Row> epoch_rows(test::Balancer& balancer, const std::vector<Row>& path);

// A server with second chances, and a connection that it has, while the descriptor is open.
void add_second_services(test::Balancer& balancer, std::uint32_t ifindex);
Fd connect_known();
std::vector<Row> second_rows(test::Balancer& balancer);

// Those that are sent as live frames, each behind the baseline that it is compared to: a program
// whose name starts with "bare". Their growth is what the interface's peer sees.
std::vector<Row> live_rows(test::Balancer& balancer);

}  // namespace xdplb::bench
