// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Where chains are tested: a network namespace and a bpffs of its own, with interfaces v0, v1 ...
// and the cables into them. Ports have roles: a service has `balanced_port`, another has
// `blocked_port`, which xdp-filter, where it is in the chain, drops before us; nobody wants
// `other_port`.

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/host.h"
#include "tests/vm/wire.h"

namespace xdplb::test {

inline constexpr std::uint16_t balanced_port = 80;
inline constexpr std::uint16_t blocked_port = 81;
inline constexpr std::uint16_t other_port = 82;

inline constexpr auto object_file = "/vm/xdp_lb.bpf.o";
inline constexpr auto counter_file = "/vm/count.bpf.o";
inline constexpr auto bpffs = "/sys/fs/bpf";
inline constexpr auto pin_folder = "/sys/fs/bpf/xdp-lb";

// Who is in a chain.
struct Members {
  bool filter = false;
  bool ours = false;
  bool counter = false;
  bool operator==(const Members&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Members& members);

// What a chain of these does with so many packets to each port.
Traffic expected(const Members& members, unsigned packets);

// What a command that fails must not change: which paths bpffs has, which program each interface.
struct World {
  std::set<std::string> pins;
  std::vector<unsigned> programs;
  bool operator==(const World&) const = default;
};
std::ostream& operator<<(std::ostream& out, const World& world);

class Lab {
 public:
  explicit Lab(unsigned interfaces = 1, unsigned mtu = 1500);
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  const Host host{"lab"};

  // Commands, as an administrator types them.
  [[nodiscard]] Outcome run(const std::string& line) const;
  std::string require(const std::string& line) const;  // its output; throws if it fails

  // Into the chain, and out of it. The filter blocks blocked_port.
  void load_filter(const std::string& ifname, const std::string& options = "") const;
  void load_counter(const std::string& ifname, const std::string& options = "") const;
  void unload_counter(const std::string& ifname) const;
  // The services, with two backends and one, beyond that interface.
  void add_services(const std::string& ifname) const;

  // Sends so many packets to each port, and says what became of them.
  Traffic exchange(const std::string& ifname, const Traffic& awaited, unsigned packets,
                   std::size_t payload = 10);
  static constexpr unsigned burst = 16;
  // Sends to each port without a pause, a burst when what became of the last was seen, as long as
  // `more` says. Boost.Test hears of it if that isn't what the chain is for.
  void flood(const std::string& ifname, const Members& members, const std::function<bool()>& more);

  [[nodiscard]] nlohmann::json chain(const std::string& ifname) const;  // as status -j has it
  [[nodiscard]] Words names(
      const std::string& ifname) const;  // in order; ours is xdp_lb either way
  [[nodiscard]] unsigned program(const std::string& ifname) const;  // id of what is attached, or 0
  [[nodiscard]] World world() const;

  void lose_pins() const;  // all of bpffs, as an umount does

 private:
  std::vector<std::unique_ptr<Wire>> wires_;
};

// Boost.Test hears of what is otherwise.
void check_traffic(Lab& lab, const std::string& ifname, const Members& members);
// The command fails with the status and says the text, and nothing is changed.
void check_refused(const Lab& lab, const std::string& line, int status, const std::string& text);
void check_runs(const Lab& lab, const std::string& ifname, bool runs);  // by status --check

}  // namespace xdplb::test
