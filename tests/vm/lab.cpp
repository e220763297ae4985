// SPDX-License-Identifier: GPL-2.0-only
#include "tests/vm/lab.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mount.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <filesystem>
#include <thread>

#include "plugin/error.h"
#include "tests/support/topology.h"

namespace xdplb::test {

namespace {

constexpr auto counter_pins = "/sys/fs/bpf/count";
constexpr double burst_time = 3;  // seconds that a burst may take
constexpr auto surplus_time = std::chrono::milliseconds(30);

void mount_bpffs() {
  if (::mount("bpf", bpffs, "bpf", 0, "mode=0700") != 0)
    throw SystemError(errno, "mounting a bpffs");
}

// What xdp_count has counted; 0 where it was never loaded.
std::uint64_t counted(std::uint16_t port) {
  const Fd map(::bpf_obj_get((std::string(counter_pins) + "/by_port").c_str()));
  if (!map) return 0;
  const std::uint32_t key = port;
  std::uint64_t count = 0;
  if (::bpf_map_lookup_elem(map.get(), &key, &count) != 0)
    throw SystemError(errno, "reading the counter");
  return count;
}

std::string cable(const std::string& number, unsigned mtu) {
  const auto end = " mtu " + std::to_string(mtu) + " numrxqueues 1 numtxqueues 1 ";
  return "link add name v" + number + end + "type veth peer name p" + number + end +
         "\nlink set v" + number + " up\nlink set p" + number + " up\n";
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Members& members) {
  return out << "[" << (members.filter ? " filter" : "") << (members.ours ? " ours" : "")
             << (members.counter ? " counter" : "") << " ]";
}

Traffic expected(const Members& members, unsigned packets) {
  Traffic traffic;
  for (const auto port : {balanced_port, blocked_port, other_port}) {
    auto& seen = traffic.by_port[port];
    if (members.filter && port == blocked_port) continue;
    if (members.ours && port != other_port) {
      seen.balanced = packets;
      continue;
    }
    seen.passed = packets;
    seen.counted = members.counter ? packets : 0;
  }
  return traffic;
}

std::ostream& operator<<(std::ostream& out, const World& world) {
  for (const auto& pin : world.pins) out << "\n  " << pin;
  for (const auto program : world.programs) out << "\n  program " << program;
  return out;
}

Lab::Lab(unsigned interfaces, unsigned mtu) {
  mount_bpffs();
  host.sysctl("ipv6/conf/default/disable_ipv6", "1");  // no packets but ours
  std::string lines;
  for (unsigned i = 0; i < interfaces; ++i) lines += cable(std::to_string(i), mtu);
  host.ip(lines);
  for (unsigned i = 0; i < interfaces; ++i) {
    const auto number = std::to_string(i);
    attach_pass(host, "p" + number);
    wires_.push_back(std::make_unique<Wire>(host, "v" + number, "p" + number));
  }
}

Lab::~Lab() { ::umount2(bpffs, MNT_DETACH); }

Outcome Lab::run(const std::string& line) const { return host.run(split(line)); }
std::string Lab::require(const std::string& line) const { return host.require(split(line)); }

void Lab::load_filter(const std::string& ifname, const std::string& options) const {
  require("xdp-filter load -f tcp " + options + " " + ifname);
  require("xdp-filter port " + std::to_string(blocked_port));
}

void Lab::load_counter(const std::string& ifname, const std::string& options) const {
  require("xdp-loader load -p " + std::string(counter_pins) + " " + options + " " + ifname + " " +
          counter_file);
}

void Lab::unload_counter(const std::string& ifname) const {
  const auto place = chain(ifname);
  for (const auto& component : place.at("components"))
    if (component.at("name") == "xdp_count")
      require("xdp-loader unload -i " + component.at("id").dump() + " " + ifname);
}

void Lab::add_services(const std::string& ifname) const {
  for (const auto port : {balanced_port, blocked_port}) {
    const auto service = std::string(vip_address) + ":" + std::to_string(port) + "/tcp";
    require("xdp-lb service add --slots 256 " + service);
    for (unsigned number = 1; number <= (port == balanced_port ? 2 : 1); ++number)
      require("xdp-lb backend add " + service + " 10.0.0." + std::to_string(number) +
              " --next-hop " + to_string(wire_mac(number)) + "%" + ifname);
  }
}

Traffic Lab::exchange(const std::string& ifname, const Traffic& awaited, unsigned packets,
                      std::size_t payload) {
  auto& wire = *wires_.at(static_cast<std::size_t>(std::stoi(ifname.substr(1))));
  Traffic seen;
  wire.look(seen);  // what came late
  seen = {};
  std::map<std::uint16_t, std::uint64_t> before;
  for (const auto port : {balanced_port, blocked_port, other_port}) {
    before[port] = counted(port);
    seen.by_port[port] = {};
  }
  for (const auto port : {balanced_port, blocked_port, other_port})
    wire.send(port, packets, payload);
  const auto look = [&] {
    wire.look(seen);
    for (const auto& [port, count] : before)
      seen.by_port[port].counted = static_cast<unsigned>(counted(port) - count);
    return seen == awaited;
  };
  wait_until(look, burst_time);
  std::this_thread::sleep_for(surplus_time);
  look();
  return seen;
}

void Lab::flood(const std::string& ifname, const Members& members,
                const std::function<bool()>& more) {
  auto& wire = *wires_.at(static_cast<std::size_t>(std::stoi(ifname.substr(1))));
  Traffic seen;
  wire.look(seen);  // what came late
  seen = expected(members, 0);
  unsigned sent = 0;
  const auto look = [&] {
    wire.look(seen);
    return seen == expected(members, sent);
  };
  do {
    for (const auto port : {balanced_port, blocked_port, other_port}) wire.send(port, burst, 10);
    sent += burst;
  } while (wait_until(look, burst_time) && more());
  std::this_thread::sleep_for(surplus_time);
  look();
  BOOST_TEST_MESSAGE(sent << " packets to each port");
  BOOST_TEST(seen == expected(members, sent));
}

nlohmann::json Lab::chain(const std::string& ifname) const {
  const auto status = nlohmann::json::parse(require("xdp-lb status -j " + ifname));
  return status.at("interfaces").at(0);
}

Words Lab::names(const std::string& ifname) const {
  Words names;
  const auto place = chain(ifname);
  if (place.contains("components"))
    for (const auto& component : place.at("components")) {
      const std::string name = component.at("name");
      names.push_back(name == "xdp_lb_inline" ? "xdp_lb" : name);
    }
  return names;
}

unsigned Lab::program(const std::string& ifname) const {
  const auto index = static_cast<int>(host.ifindex(ifname));
  const Inside here(host);
  std::uint32_t id = 0;
  const int error = ::bpf_xdp_query_id(index, 0, &id);
  if (error != 0) throw SystemError(-error, "asking for the program of " + ifname);
  return id;
}

World Lab::world() const {
  World world;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(bpffs))
    world.pins.insert(entry.path());
  world.pins.erase("/sys/fs/bpf/xdp");  // libxdp's lock
  for (std::size_t i = 0; i < wires_.size(); ++i)
    world.programs.push_back(program("v" + std::to_string(i)));
  return world;
}

void Lab::lose_pins() const {
  if (::umount2(bpffs, MNT_DETACH) != 0) throw SystemError(errno, "unmounting bpffs");
  mount_bpffs();
}

void check_traffic(Lab& lab, const std::string& ifname, const Members& members) {
  const auto wanted = expected(members, Lab::burst);
  BOOST_TEST_CONTEXT("chain " << members << " on " << ifname)
  BOOST_TEST(lab.exchange(ifname, wanted, Lab::burst) == wanted);
}

void check_refused(const Lab& lab, const std::string& line, int status, const std::string& text) {
  const auto before = lab.world();
  const auto outcome = lab.run(line);
  BOOST_TEST_CONTEXT("'" << line << "' said: " << outcome.out << outcome.err) {
    BOOST_TEST(outcome.status == status);
    BOOST_TEST((outcome.err.find(text) != std::string::npos), "it doesn't say '" << text << "'");
    BOOST_TEST(lab.world() == before);
  }
}

void check_runs(const Lab& lab, const std::string& ifname, bool runs) {
  const auto outcome = lab.run("xdp-lb status --check " + ifname);
  BOOST_TEST_CONTEXT("status --check " << ifname << " said: " << outcome.out << outcome.err)
  BOOST_TEST(outcome.status == (runs ? 0 : 3));
}

}  // namespace xdplb::test
