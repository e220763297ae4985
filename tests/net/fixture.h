// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// xdp-lb as an administrator runs it, and beside it the model: what each flow must get.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "plugin/cluster_key.h"
#include "plugin/pool.h"
#include "plugin/table.h"
#include "tests/support/topology.h"

namespace xdplb::test {

inline constexpr auto pin_path = "/sys/fs/bpf/xdp-lb";
extern const std::string with_object;  // " --object FILE", FILE being what is tested

// With a cluster key, the same in each run, so that a failure can be repeated.
std::string key_file();

// The real loader, on the balancer. Lines are what follows "xdp-lb" on a command line.
class Loader {
 public:
  explicit Loader(const Host& host) : host_(host) {}

  [[nodiscard]] Outcome run(const std::string& line) const;
  std::string require(const std::string& line) const;  // its output; throws if it fails
  [[nodiscard]] nlohmann::json json(const std::string& line) const;  // with --json
  [[nodiscard]] Words command(const std::string& line) const;

  // In a chain where the kernel can have one, else alone. Returns the line that did it.
  std::string load(const std::string& ifnames, const std::string& mode) const;

  // Packets that left for this reason, as 'stats --json' has it.
  [[nodiscard]] std::uint64_t reason(const std::string& name,
                                     const std::string& family = "ipv4") const;
  [[nodiscard]] std::uint64_t forwarded(const std::string& service) const;
  [[nodiscard]] std::uint64_t dropped() const;  // all that couldn't be delivered

 private:
  const Host& host_;
};

// The site with web servers, and the component on the balancer's eth0.
struct Balanced {
  explicit Balanced(const std::string& mode, const std::string& ifnames = "eth0",
                    unsigned mtu = 1500);
  Site site;
  Loader loader;
};

struct Member {
  std::string name;     // web1
  std::string address;  // and port, if it isn't the service's: as xdp-lb takes it
  unsigned weight = 1;
  bool drain = false;
  bool down = false;
};
Member web(int number, unsigned weight = 1, bool v4 = true);
Member web_at(int number, std::uint16_t port, bool v4);
std::string vip(int number, bool v4 = true);  // 192.0.2.10, [2001:db8:ffff::10]

// What data test cases are made of.
inline const Words modes{"native", "skb"};
inline const Words families{"ipv4", "ipv6"};

// A service: each change is made by xdp-lb and in the model.
class TestService {
 public:
  TestService(const Loader& loader, const std::string& id, const std::string& options = "");

  void add(const Member& member);
  void add(std::initializer_list<int> numbers);               // of web servers, in its family
  void set_weight(const std::string& name, unsigned weight);  // 0 drains
  void drain(const std::string& name);
  void down(const std::string& name);
  void up(const std::string& name);
  void remove(const std::string& name, const std::string& options = "");

  // In the model alone, for changes that may or may not have happened.
  void believe(const std::vector<Member>& members);
  [[nodiscard]] const std::vector<Member>& members() const { return members_; }

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] bool is_v4() const { return parsed_.vip.is_v4(); }
  [[nodiscard]] const Address& vip() const { return parsed_.vip; }
  [[nodiscard]] Endpoint endpoint(std::uint16_t any_port = 80) const;

  // Who must get the flow; "" for nobody.
  [[nodiscard]] const std::string& expected(const Endpoint& client, std::uint16_t port) const;
  // Is this what that backend says, "webN ADDRESS PORT", of a connection of the client?
  [[nodiscard]] bool is_answer(const std::string& said, const Endpoint& client,
                               std::uint16_t port) const;

 private:
  [[nodiscard]] Member& member(const std::string& name);

  const Loader& loader_;
  std::string id_;
  ServiceId parsed_;
  Pool pool_;  // what backends see instead of clients
  FlowKeys keys_;
  TableSpec spec_;
  std::vector<Member> members_;
  Table table_;
};

// The cluster key in the pinned lb_meta.
ClusterKey pinned_cluster_key();

// Client endpoints, each another flow.
class Flows {
 public:
  explicit Flows(bool v4, std::uint16_t first_port = 10000) : v4_(v4), port_(first_port) {}
  Endpoint next();

 private:
  bool v4_;
  unsigned address_ = 2;
  std::uint16_t port_;
};

// How often something is done: enough for every day, or what XDPLB_TEST_FULL=1 asks for.
int counts(int reduced, int full);

using Answers = std::map<std::string, int>;  // who answered how many

// So many connections to the service's port: each is answered by whom the model says, who saw the
// client itself, or an address of the pool. Boost.Test hears of those that aren't. Returns who
// answered.
Answers check_connections(const Site& site, const TestService& service, Flows& flows, int count,
                          std::uint16_t port = 80);

// Sends one packet to the service, and doesn't wait for an answer.
void knock(const Site& site, const TestService& service, Flows& flows);

}  // namespace xdplb::test
