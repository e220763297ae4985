// SPDX-License-Identifier: GPL-2.0-only
// Open connections through a chain, behind xdp-filter, and changes: of backends, and of the chain
// itself. None breaks but those that must.
#include <boost/test/unit_test.hpp>
#include <future>

#include "tests/net/farmed.h"
#include "tests/support/other_object.h"

namespace xdplb::test {
namespace {

using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(survive)

// A farm whose packets pass xdp-filter first. It comes in front when the connections are open.
struct Chained : Farmed {
  explicit Chained(const std::string& options = "")
      : Farmed(options, "ipv4", "", counts(200, 1000)) {
    // What nobody forwards for a while is sent again, and no error ends a connection before.
    site.balancer.ip("route add blackhole 192.0.2.0/24");
    filter("load -f tcp eth0");
    check_chain();
    survive();
  }

  void filter(const std::string& line) const { site.balancer.require(split("xdp-filter " + line)); }

  void check_chain() const {
    const auto chain = loader.json("status eth0").at("interfaces").at(0).at("components");
    BOOST_REQUIRE(chain.size() == 2U);
    BOOST_TEST(chain[0].at("name").get<std::string>().starts_with("xdpfilt_"));
    BOOST_TEST(chain[1].at("name").get<std::string>().starts_with("xdp_lb"));
  }
};

// The filter drops what would go to the service: it is asked first, of these very packets.
void check_filter(const Chained& chained) {
  const auto& [all, some, site, loader, service, farm] = static_cast<const Farmed&>(chained);
  chained.filter("port 80");
  const auto before = loader.forwarded(service.id());
  Flows flows(true);
  for (int i = 0; i < 10; ++i) knock(site, service, flows);
  BOOST_TEST(loader.forwarded(service.id()) == before);
  chained.filter("port 80 --remove");
  chained.survive();
  BOOST_TEST(loader.forwarded(service.id()) > before);
}

// As for maintenance: drained, empty, away, back.
BOOST_AUTO_TEST_CASE(a_drained_backend_goes_and_comes_back) {
  Chained chained("--epoch 10");
  auto& [all, some, site, loader, service, farm] = static_cast<Farmed&>(chained);
  check_filter(chained);
  service.drain("web1");
  chained.survive_without("web1");
  const auto drain = "backend drain " + service.id() + " " + web(1).address + " --wait ";
  BOOST_TEST(loader.run(drain + "0").status == 3);

  auto waiting = std::async(std::launch::async, [&] { return loader.run(drain + "300"); });
  farm->renew(all);
  while (waiting.wait_for(0s) != std::future_status::ready) chained.survive();
  const auto waited = waiting.get();
  BOOST_TEST(waited.status == 0, waited.err);
  BOOST_TEST(waited.out.ends_with("Flows left: 0\n"), waited.out);

  service.remove("web1", "--now");
  BOOST_TEST(chained.survive().open("web1") == 0);
  service.add({1});
  chained.survive_a_move();
  farm->renew(some);
  BOOST_TEST(chained.survive().open("web1") > 0);
}

BOOST_AUTO_TEST_CASE(weights_flaps_and_deletion) {
  Chained chained("--on-down keep");
  auto& [all, some, site, loader, service, farm] = static_cast<Farmed&>(chained);
  for (const unsigned weight : {7U, 0U, 2U}) {
    service.set_weight("web2", weight);
    chained.survive_a_move();
    farm->renew(some);
  }
  for (int flap = 0; flap < 3; ++flap) {
    service.down("web1");
    if (flap == 0) chained.survive_without("web1");
    service.up("web1");
  }
  chained.survive();

  service.remove("web3");
  chained.survive_without("web3");
  loader.require("backend del --now " + service.id() + " " + web(3).address);
  chained.lose("web3");
  chained.refill();

  loader.require("service set " + service.id() + " --on-down rehash");
  service.down("web2");
  chained.lose("web2");
  chained.refill();
  service.up("web2");
  chained.survive_a_move();
}

// As for an upgrade: what is remembered of flows is in the maps, and they stay.
BOOST_AUTO_TEST_CASE(the_component_is_loaded_anew) {
  Chained chained;
  auto& [all, some, site, loader, service, farm] = static_cast<Farmed&>(chained);
  service.drain("web2");
  chained.survive_without("web2");
  const auto used = [&] { return loader.json("status").at("exceptions").at("used").get<int>(); };
  const auto before = used();
  BOOST_TEST(before > 0);
  loader.require("unload --keep-maps eth0");
  BOOST_TEST(loader.run("status --check eth0").status == 3);
  loader.load("eth0", "native");
  chained.check_chain();
  chained.survive_without("web2");
  BOOST_TEST(used() >= before);
}

// And upgraded: they don't notice.
BOOST_AUTO_TEST_CASE(the_component_is_upgraded) {
  const auto other = write_other_object(XDP_LB_OBJECT, "/run/other.bpf.o");
  Chained chained;
  auto& [all, some, site, loader, service, farm] = static_cast<Farmed&>(chained);
  service.drain("web2");
  chained.survive_without("web2");
  for (int i = 0; i < counts(2, 30); ++i) {
    auto running = std::async(std::launch::async, [&] {
      return loader.json("upgrade -o " + (i % 2 == 0 ? other : XDP_LB_OBJECT));
    });
    do chained.survive();
    while (running.wait_for(0s) != std::future_status::ready);
    BOOST_TEST(running.get().at("interfaces").at(0).at("upgraded") == true);
    chained.check_chain();
    chained.survive_draining("web2");
  }
  chained.survive_without("web2");
}

// Those that all of the above is for: without state they are lost.
BOOST_AUTO_TEST_CASE(without_state_the_moved_are_lost) {
  Chained chained("--state none");
  auto& service = chained.service;
  service.drain("web1");
  chained.lose("web1");
  chained.refill();
  service.up("web1");
  chained.lose_the_moved();
  chained.refill();
  service.set_weight("web2", 5);
  chained.lose_the_moved();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
