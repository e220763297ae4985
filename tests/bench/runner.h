// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Runs a row's program on its packets, counts what becomes of them, and takes the time.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "plugin/map.h"
#include "plugin/object.h"
#include "tests/bench/driver.h"
#include "tests/bench/rows.h"

namespace xdplb::bench {

// How many packets had each verdict, grew by so many bytes, and were counted for each reason.
// Verdicts are those of a sample, since a run of many packets tells the last one's.
struct Seen {
  std::map<std::uint32_t, std::uint64_t> verdicts;
  std::map<int, std::uint64_t> growths;
  std::map<int, std::uint64_t> hits;
  std::uint64_t rewritten = 0;
  bool operator==(const Seen&) const = default;
};
std::string verdict_name(std::uint32_t verdict);
std::string to_string(const Seen& seen);

struct Result {
  Row row;
  Seen seen;
  std::uint64_t packets = 0;    // that were timed
  std::uint64_t lost = 0;       // live frames that didn't arrive
  std::vector<double> costs{};  // ns a packet, a round each
};

// Has programs loaded for it alone. Where the kernel places what it compiles is chance, and worth a
// tenth of what the ipip floor costs: a runner is good for a round.
class Runner {
 public:
  // A veth for packets to leave by; a sink is on its peer.
  Runner(const std::string& ifname, const std::string& peer);

  // One round of a row. Throws where packets become anything but what the row wants.
  void run(Result& result, std::uint32_t packets);
  // The same with frames that are sent, and arrive.
  void run_live(Result& result, std::uint32_t packets);

 private:
  void prepare(const Row& row);
  void sample(const Row& row, Seen& seen);
  double time(const Row& row, std::uint32_t packets, Seen& seen);
  [[nodiscard]] int program(const char* name) const;
  int program_of(const Row& row);
  [[nodiscard]] int map(const char* name) const;

  Object object_;
  std::map<const test::Balancer*, Object> products_;
  Mapping driver_, sink_;
  std::uint32_t ifindex_;
};

// Packets that a row has wanted of it.
Seen wanted(const Row& row, std::uint64_t sampled, std::uint64_t timed);

}  // namespace xdplb::bench
