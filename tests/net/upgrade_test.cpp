// SPDX-License-Identifier: GPL-2.0-only
// xdp-lb upgrade of a component that is attached alone; tests/vm has the chains.
#include <bpf/bpf.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <future>
#include <set>

#include "plugin/convert.h"
#include "plugin/error.h"
#include "plugin/map.h"
#include "plugin/pins.h"
#include "tests/net/cli_fixture.h"
#include "tests/net/farmed.h"
#include "tests/net/injected.h"
#include "tests/support/other_object.h"

namespace xdplb::test {
namespace {

using namespace std::chrono_literals;

const std::string installed = "upgrade --object " XDP_LB_OBJECT;

std::string to_other() {
  return "upgrade --object " + write_other_object(XDP_LB_OBJECT, "/run/other.bpf.o");
}

std::string tag(const Loader& loader) {
  const auto place = loader.json("status eth0").at("interfaces").at(0);
  const bool chained = place.at("chained");
  return (chained ? place.at("components").at(0) : place.at("main")).at("tag");
}

BOOST_AUTO_TEST_SUITE(upgrade)

BOOST_AUTO_TEST_CASE(what_is_current_stays) {
  const auto other = to_other();
  Machine machine;
  machine.load_with_services();
  const auto backends = machine.loader.require("backend list");
  const auto before = take_snapshot(machine);
  const auto upgraded = [&](const std::string& line) {
    return machine.loader.json(line).at("interfaces").at(0);
  };
  const auto same = upgraded(installed);
  BOOST_TEST(same.at("interface") == "eth0");
  BOOST_TEST(same.at("upgraded") == false);
  BOOST_TEST(same.at("now") == same.at("before"));
  BOOST_TEST(differences(before, take_snapshot(machine)).empty());
  const auto text = machine.loader.require(installed + " eth0");
  BOOST_TEST(text.ends_with(" is up to date already\n"), text);

  const auto forced = upgraded(installed + " --force");
  BOOST_TEST(forced.at("upgraded") == true);
  BOOST_TEST(forced.at("now").at("tag") == same.at("now").at("tag"));
  BOOST_TEST(forced.at("now").at("id") != same.at("now").at("id"));

  const auto changed = upgraded(other);
  BOOST_TEST(changed.at("upgraded") == true);
  BOOST_TEST(changed.at("before") == forced.at("now"));
  BOOST_TEST(changed.at("now").at("tag") == tag(machine.loader));
  BOOST_TEST(changed.at("now").at("tag") != forced.at("now").at("tag"));
  BOOST_TEST(upgraded(other).at("upgraded") == false);
  BOOST_TEST(machine.loader.require("backend list") == backends);
  machine.loader.require("status --check eth0");
  machine.loader.require("unload eth0");
}

BOOST_AUTO_TEST_CASE(all_that_have_it_or_those_named) {
  const auto other = to_other();
  Machine machine;
  machine.load();
  machine.loader.require("load eth1 --mode skb --single-ok --object " XDP_LB_OBJECT);
  const auto names = [](const nlohmann::json& json) {
    std::set<std::string> all;
    for (const auto& one : json.at("interfaces"))
      if (one.at("upgraded")) all.insert(one.at("interface"));
    return all;
  };
  using Names = std::set<std::string>;
  BOOST_TEST((names(machine.loader.json(other + " eth1")) == Names{"eth1"}));
  BOOST_TEST((names(machine.loader.json(other)) == Names{"eth0"}));
  BOOST_TEST((names(machine.loader.json(installed)) == Names{"eth0", "eth1"}));
  const auto mode = [&](const std::string& ifname) {
    return machine.loader.json("status " + ifname).at("interfaces").at(0).at("mode");
  };
  BOOST_TEST(mode("eth0") == "native");
  BOOST_TEST(mode("eth1") == "skb");
}

BOOST_AUTO_TEST_CASE(what_is_refused) {
  Machine machine;
  machine.load();
  check_refused(machine, {{"upgrade eth1", 3, "xdp-lb is not loaded on eth1"},
                          {"upgrade eth0 eth1", 3, "xdp-lb is not loaded on eth1"},
                          {"upgrade eth9", 2, "there is no network interface 'eth9'"},
                          {"upgrade eth0 eth0", 2, "eth0 is given twice"},
                          {"upgrade -o /run/none", 2, "there is no BPF object /run/none"}});
  machine.loader.require("unload --keep-maps eth0");
  check_refused(machine, {{"upgrade", 3, "xdp-lb is not loaded on any interface"}});
}

// Of some: which they are is said, and it is not as if nothing was changed.
// What a converter does last.
void claim_abi(const std::string& path) {
  const Fd map(::bpf_obj_get(pin_of(path, "lb_meta").c_str()));
  lb_meta meta{};
  read_value(map, 0, &meta);
  meta.abi = XDP_LB_ABI;
  const std::uint32_t only = 0;
  BOOST_REQUIRE(::bpf_map_update_elem(map.get(), &only, &meta, BPF_ANY) == 0);
}

BOOST_AUTO_TEST_CASE(maps_of_another_abi) {
  const auto other = to_other();
  Machine machine;
  machine.load_with_services();
  const auto backends = machine.loader.require("backend list");
  store(Pins(pin_path, Access::change).meta().abi, std::uint32_t{98});
  const std::array unfit{Converter{97, XDP_LB_ABI, claim_abi},
                         Converter{98, XDP_LB_ABI + 1, claim_abi}};
  BOOST_CHECK_THROW(convert_maps(pin_path, unfit), Error);
  check_refused(machine, {{other, 2, "it can't convert them"}});
  const std::array fit{unfit[0], Converter{98, XDP_LB_ABI, claim_abi}};
  convert_maps(pin_path, fit);
  machine.loader.require(other);
  BOOST_TEST(machine.loader.require("backend list") == backends);
}

BOOST_AUTO_TEST_CASE(where_it_fails, *boost::unit_test::precondition(has_strace)) {
  Machine machine;
  machine.load();
  machine.loader.require("load eth1 --single-ok --object " XDP_LB_OBJECT);
  const auto id_of = [&](const std::string& ifname) {
    return machine.loader.json("status " + ifname)
        .at("interfaces")
        .at(0)
        .at("main")
        .at("id")
        .dump();
  };
  const std::string line = installed + " --force eth0 eth1";
  bool halfway = false;
  for (int nth = count_calls(machine.host, "sendto", line); nth > 0 && !halfway; --nth) {
    const auto first = id_of("eth0"), second = id_of("eth1");
    const auto outcome = run_injected(machine.host, "sendto", "error=ENOMEM", nth, line);
    if (first == id_of("eth0") || second != id_of("eth1")) continue;
    halfway = true;
    BOOST_TEST(outcome.status == 1);
    BOOST_TEST(outcome.err.find("these are upgraded: eth0\n") != std::string::npos, outcome.err);
  }
  BOOST_TEST(halfway);
}

// In place of the old at once: connections don't notice.
BOOST_AUTO_TEST_CASE(connections_survive) {
  const auto other = to_other();
  Farmed farmed("", "ipv4", "", counts(200, 1000));
  farmed.service.drain("web2");
  const int kept = farmed.survive().open("web2");
  BOOST_TEST(kept > 0);
  for (int i = 0; i < counts(2, 30); ++i) {
    const auto before = tag(farmed.loader);
    auto running = std::async(std::launch::async,
                              [&] { return farmed.loader.run(i % 2 == 0 ? other : installed); });
    do farmed.survive();
    while (running.wait_for(0s) != std::future_status::ready);
    const auto outcome = running.get();
    BOOST_TEST(outcome.status == 0, outcome.err);
    BOOST_TEST(tag(farmed.loader) != before);
    const auto after = farmed.survive();
    BOOST_TEST(after.open("web2") == kept);
    BOOST_TEST(after.answered("web2") == 0);
  }
  farmed.survive_without("web2");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
