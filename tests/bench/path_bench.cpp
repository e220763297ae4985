// SPDX-License-Identifier: GPL-2.0-only
// What a packet costs in the data path, net of a bare XDP_TX behind the same driver program, all
// rows interleaved in the same run. A row whose counters aren't what they must be is no result:
// the benchmark fails.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "plugin/error.h"
#include "plugin/map.h"
#include "tests/bench/driver.h"
#include "tests/support/bpf_fixture.h"

using namespace xdplb;
using namespace xdplb::test;

namespace {

constexpr unsigned backends = 100;
constexpr std::uint32_t any_flow = 1;

enum class Way { bare, floor, outer_floor, forwarded, tunnelled, passed };

struct Row {
  std::string name;
  Way way;
  PacketSpec packet;
  std::uint32_t flows;
  unsigned growth = 0;          // bytes
  std::vector<double> costs{};  // ns a packet, a round each
};

PacketSpec frame(const std::string& from, const std::string& to) {
  PacketSpec spec;
  spec.from = ip(from);
  spec.to = ip(to);
  spec.payload = 0;
  spec.padding = DRIVER_FRAME - build(spec).size();
  return spec;
}

std::vector<Row> make_rows() {
  const auto v4 = frame("198.18.0.0", "192.0.2.10");
  const auto v6 = frame("2001:db8:1::", "2001:db8::10");
  const auto to = [](int vip) { return frame("198.18.0.0", "192.0.2." + std::to_string(vip)); };
  const auto to6 = [](int vip) {
    return frame("2001:db8:1::", "2001:db8::" + std::to_string(vip));
  };
  return {{"bare XDP_TX", Way::bare, v4, any_flow},
          {"parse and swap, v4", Way::floor, v4, any_flow},
          {"parse and swap, v6", Way::floor, v6, any_flow},
          {"parse and ipip, v4", Way::outer_floor, v4, any_flow, 20},
          {"l2 v4, 1 flow", Way::forwarded, v4, 1},
          {"l2 v4, 64k flows", Way::forwarded, v4, 1U << 16},
          {"l2 v4, 1M flows", Way::forwarded, v4, 1U << 20},
          {"l2 v6, 1 flow", Way::forwarded, v6, 1},
          {"l2 v6, 64k flows", Way::forwarded, v6, 1U << 16},
          {"l2 v6, 1M flows", Way::forwarded, v6, 1U << 20},
          {"ipip v4 in v4, 1 flow", Way::tunnelled, to(20), 1, 20},
          {"ipip v4 in v4, 64k flows", Way::tunnelled, to(20), 1U << 16, 20},
          {"ipip v4 in v4, 1M flows", Way::tunnelled, to(20), 1U << 20, 20},
          {"gue v4 in v4, 64k flows", Way::tunnelled, to(21), 1U << 16, 32},
          {"gre v4 in v4, 64k flows", Way::tunnelled, to(22), 1U << 16, 24},
          {"ipip v6 in v6, 64k flows", Way::tunnelled, to6(20), 1U << 16, 40},
          {"gue v6 in v6, 64k flows", Way::tunnelled, to6(21), 1U << 16, 52},
          {"gre v6 in v6, 64k flows", Way::tunnelled, to6(22), 1U << 16, 44},
          {"not for a service, v4", Way::passed, frame("198.18.0.0", "192.0.2.11"), 1U << 16},
          {"not for a service, v6", Way::passed, frame("2001:db8:1::", "2001:db8::11"), 1U << 16}};
}

class Driver {
 public:
  Driver() : object_(bpf_object__open_file(XDP_LB_DRIVER, nullptr)) {
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object_.get())
        bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);  // as the program under test has
    if (!object_ || bpf_object__load(object_.get()) != 0)
      throw SystemError(errno, "loading the driver program");
    const int map = bpf_object__find_map_fd_by_name(object_.get(), "driver_state");
    state_ = Mapping(Fd(::dup(map)), sizeof(driver_state), true, "driver_state");
  }

  [[nodiscard]] int program(const char* name) const {
    return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), name));
  }

  // Runs the program that often on the row's packets; returns ns a packet.
  double run(const Row& row, int program, std::uint32_t packets) {
    auto& state = state_.as<driver_state>()[0];
    const auto bytes = build(row.packet);
    state = {};
    state.flow_mask = row.flows - 1;
    const bool v4 = row.packet.to.is_v4();
    state.at[0] = v4 ? 28 : 34;  // the source's last bytes, and its port
    state.at[1] = v4 ? 34 : 54;
    std::memcpy(state.frame, bytes.data(), DRIVER_FRAME);
    const std::uint32_t zero = 0;
    const int map = bpf_object__find_map_fd_by_name(object_.get(), "under_test");
    if (::bpf_map_update_elem(map, &zero, &program, BPF_ANY) != 0)
      throw SystemError(errno, "putting the program behind the driver");
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes.data(), .data_size_in = DRIVER_FRAME,
                .repeat = static_cast<int>(packets));
    if (::bpf_prog_test_run_opts(this->program("driver"), &opts) != 0)
      throw SystemError(errno, "running " + row.name);
    require(row, state, opts.retval, packets);
    return opts.duration;
  }

 private:
  static void require(const Row& row, const driver_state& state, std::uint32_t verdict,
                      std::uint32_t packets) {
    const bool sent = row.way != Way::passed;
    const bool written = sent && row.way != Way::bare;
    const auto grown = std::uint64_t{row.growth} * (packets - 1);  // the last one isn't seen
    if (verdict != (sent ? XDP_TX : XDP_PASS) || state.runs != packets || state.grown != grown ||
        state.rewritten != (written ? packets - 1 : 0))
      throw std::runtime_error(row.name + ": the packets came back wrong");
  }

  Object object_;
  Mapping state_;
};

lb_counter counted(Balancer& balancer, Way way, bool v4) {
  const Counters counters(balancer.pins());
  const auto family = v4 ? LB_IPV4 : LB_IPV6;
  if (way == Way::passed) return counters.of_family(family)[LB_NOT_SERVICE];
  return balancer.state().forwarded()[family];
}

double measure(Driver& driver, Balancer& balancer, const Row& row, std::uint32_t packets) {
  if (row.way == Way::bare) return driver.run(row, driver.program("bare_tx"), packets);
  if (row.way == Way::floor) return driver.run(row, driver.program("parse_and_swap"), packets);
  if (row.way == Way::outer_floor)
    return driver.run(row, driver.program("parse_and_ipip"), packets);
  const bool v4 = row.packet.to.is_v4();
  const auto before = counted(balancer, row.way, v4).packets;
  const auto cost = driver.run(row, balancer.inline_program(), packets);
  if (counted(balancer, row.way, v4).packets - before != packets)
    throw std::runtime_error(row.name + ": the counters don't account for all packets");
  return cost;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Costs less those of the first row, round by round.
std::vector<double> net(const Row& row, const Row& baseline) {
  std::vector<double> result;
  for (std::size_t i = 0; i < row.costs.size(); i++)
    result.push_back(row.costs[i] - baseline.costs[i]);
  return result;
}

void report(const std::vector<Row>& rows, const std::string& file) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  std::printf("%-26s %10s %10s %10s %10s\n", "ns a packet", "median", "net", "net least",
              "to ipip");
  const auto floor = std::ranges::find(rows, Way::outer_floor, &Row::way);
  const auto ipip = median(net(*floor, rows[0]));
  for (const auto& row : rows) {
    const auto costs = net(row, rows[0]);
    std::printf("%-26s %10.1f %10.1f %10.1f %10.2f\n", row.name.c_str(), median(row.costs),
                median(costs), *std::ranges::min_element(costs), median(costs) / ipip);
    json.push_back({{"row", row.name},
                    {"flows", row.flows},
                    {"ns", median(row.costs)},
                    {"net", median(costs)},
                    {"to_ipip_floor", median(costs) / ipip}});
  }
  if (!file.empty()) std::ofstream(file) << json.dump(2) << '\n';
}

void add_backends(Balancer& balancer, const std::string& service) {
  balancer.add_service(service, default_slots);
  for (std::uint16_t number = 1; number <= backends; number++)
    balancer.add_backend(service, "10.0.0." + std::to_string(number), number);
}

void add_tunnels(Balancer& balancer) {
  int vip = 20;
  for (const auto forward : {Forward::ipip, Forward::gue, Forward::gre}) {
    for (const bool v4 : {true, false}) {
      const auto id = ServiceId::parse((v4 ? "192.0.2." : "[2001:db8::") + std::to_string(vip) +
                                       (v4 ? ":80/tcp" : "]:80/tcp"));
      balancer.state().add_service(id, {forward});
      for (std::uint16_t number = 1; number <= backends; number++) {
        BackendChange change{1, hop_to(number)};
        change.source = ip(v4 ? "10.0.0.254" : "2001:db8:b::ffff");
        balancer.state().add_backend(
            id, BackendId::parse((v4 ? "10.0.0." : "2001:db8:b::") + std::to_string(number)),
            change);
      }
    }
    vip++;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool quick = std::ranges::count(arguments, "--quick") != 0;
  const auto json = std::ranges::find(arguments, "--json");
  const auto file = json == arguments.end() ? std::string() : *(json + 1);
  try {
    enter_sandbox();
    Balancer balancer(1U << 22);
    add_backends(balancer, "192.0.2.10:80/tcp");
    add_backends(balancer, "[2001:db8::10]:80/tcp");
    add_tunnels(balancer);
    Driver driver;
    auto rows = make_rows();
    const unsigned rounds = quick ? 5 : 31;
    const std::uint32_t packets = quick ? 1U << 18 : 1U << 20;
    for (unsigned round = 0; round < rounds; round++)
      for (auto& row : rows) row.costs.push_back(measure(driver, balancer, row, packets));
    std::printf("%u rounds of %u packets, %u backends a service\n", rounds, packets, backends);
    report(rows, file);
    return 0;
  } catch (const Skip& lack) {
    std::cerr << "skipped: " << lack.what() << '\n';
    return 77;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
}
