// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The data path in a sandbox: the program as plain XDP over maps of its own, configured by the
// product's own State, and run packet by packet with BPF_PROG_TEST_RUN.

#include <linux/bpf.h>
#include <sched.h>

#include <compare>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "plugin/object.h"
#include "plugin/pins.h"
#include "plugin/state.h"
#include "tests/support/packet.h"

namespace xdplb::test {

// What this machine lacks for the tests: said, and then exit code 77.
struct Skip : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Moves the process, which must have one thread, to a new network namespace and to a mount
// namespace with an empty bpffs on /sys/fs/bpf: both go when it ends. Throws Skip where BPF,
// namespaces or veth are not to be had.
void enter_sandbox();

// In the sandbox: leaves its network for a new one, where nothing is left of what tests have set.
void renew_network();

// While it lives, the thread's packets are all run on one CPU, which has one of what there is for
// each.
class OneCpu {
 public:
  OneCpu();
  ~OneCpu();
  OneCpu(const OneCpu&) = delete;
  OneCpu& operator=(const OneCpu&) = delete;

 private:
  cpu_set_t before_{};
};

// In the sandbox: runs ip(8) with these arguments, and writes net.ipv4.NAME or net.ipv6.NAME.
void ip_tool(const std::string& arguments);
void set_sysctl(const std::string& name, const std::string& value);
std::uint32_t ifindex_of(const std::string& ifname);
Mac mac_of(const std::string& ifname);

inline constexpr std::uint32_t loopback_ifindex = 1;  // where packets come in, unless said

// One counter of the data path.
struct CounterId {
  enum Kind : std::uint8_t { family, service, backend } kind;
  std::uint32_t number;  // of the family, service or backend
  unsigned reason;       // LB_FORWARDED for a backend
  auto operator<=>(const CounterId&) const = default;
};

// Those that are not zero, summed over CPUs.
using Totals = std::map<CounterId, lb_counter>;
Totals operator-(const Totals& later, const Totals& earlier);
bool operator==(const Totals& a, const Totals& b);
std::ostream& operator<<(std::ostream& out, const Totals& totals);

struct Run {
  std::uint32_t verdict;
  Bytes out;
};

class Balancer {
 public:
  static constexpr std::uint32_t watched_services = 64;
  static constexpr std::uint32_t watched_backends = 1024;

  explicit Balancer(std::uint32_t arena_size = 1U << 20, std::uint32_t flow_keys = 1U << 17,
                    std::uint32_t exception_sets = LB_EXCEPTION_SETS);
  ~Balancer();
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  // The program that a chain with old rules has. linear: how much of the frame is in its first
  // buffer; 0: as much as fits. Throws SystemError with EINVAL where the kernel can't do that.
  [[nodiscard]] Run run(const Bytes& frame, std::uint32_t ingress = loopback_ifindex,
                        std::uint32_t linear = 0) const;
  // Likewise, through the program that grows packets itself.
  [[nodiscard]] Run run_inline(const Bytes& frame, std::uint32_t ingress = loopback_ifindex) const;
  // Through the program that frames redirected to a device pass.
  [[nodiscard]] Run run_egress(const Bytes& frame) const;
  // Sends the frame as a driver would: what it becomes leaves from an interface.
  void run_live(const Bytes& frame, std::uint32_t ingress) const;

  // Every reason of every family, and of the first services and backends.
  [[nodiscard]] Totals totals() const;

  [[nodiscard]] State& state() { return *state_; }
  [[nodiscard]] const Pins& pins() const { return *pins_; }
  [[nodiscard]] int program() const { return program_; }
  [[nodiscard]] int inline_program() const { return inline_; }
  [[nodiscard]] int egress_program() const { return egress_; }
  // A program's instructions as they were loaded, those of the functions that it calls included.
  [[nodiscard]] std::vector<bpf_insn> code(const char* program) const;
  // Lets frames be redirected to the interface through lb_egress.
  void open_egress(std::uint32_t ifindex) const;
  // Lets the data path do that as if it had not for a while.
  void refill(lb_limited what) const;

  // Without memory: each change moves flows at once.
  void add_service(const std::string& id, unsigned slots = min_slots,
                   Balance balance = Balance::slack);
  // A backend with a static next hop: the MAC that backend_mac() gives for its number.
  void add_backend(const std::string& service, const std::string& address, std::uint16_t number,
                   unsigned weight = 1, std::uint32_t ifindex = loopback_ifindex);

 private:
  static Run run_program(int program, const Bytes& frame, std::uint32_t ingress,
                         std::uint32_t linear);

  std::string path_;
  Object object_;
  std::unique_ptr<Pins> pins_;
  std::unique_ptr<State> state_;
  int program_ = -1;
  int inline_ = -1;
  int egress_ = -1;
};

// Static next hops that can be told apart.
Mac backend_mac(std::uint16_t number);
lb_hop hop_to(std::uint16_t number, std::uint32_t ifindex = loopback_ifindex);
// The backend whose MAC the frame is for, or 0.
std::uint16_t backend_of(const Bytes& frame);

// The key that every Balancer has: tables and flow hashes are the same in each run.
inline constexpr std::array<std::uint8_t, 16> test_key{0x42, 1, 2,  3,  4,  5,  6,  7,
                                                       8,    9, 10, 11, 12, 13, 14, 15};

// Random numbers are the same in each run: printed, and XDPLB_TEST_SEED sets another.
std::uint64_t test_seed();
// XDPLB_TEST_FULL=1 asks for the large counts.
bool full_counts();

}  // namespace xdplb::test
