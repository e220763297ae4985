// SPDX-License-Identifier: GPL-2.0-only
// Frames for other stations, which a switch sends to all while it doesn't know where those are: a
// service's packet in one goes on as little as the kernel would take it.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>

#include "plugin/peers.h"
#include "tests/bpf/expect.h"
#include "tests/bpf/links.h"

namespace xdplb::test {

BOOST_FIXTURE_TEST_SUITE(others_frame, WithLinks)

namespace {

constexpr Mac peer{0x02, 0xff, 0x80, 0x01, 0x7f, 0xfe};

struct Family {
  std::string near, far;  // in0's network and out0's
  std::string service;
};
const std::vector<Family> families{{"10.9.0.", "10.9.1.", "192.0.2.10:80/tcp"},
                                   {"2001:db8:9::", "2001:db8:a::", "[2001:db8::10]:80/tcp"}};

// One backend, of which the kernel knows the link address.
struct Site : Balancer {
  Site(const Family& family, const std::string& backend, const std::string& ifname,
       Forward forward = Forward::l2)
      : service(family.service), vip(ServiceId::parse(service).vip) {
    ServiceChange options;
    options.forward = forward;
    options.slots = min_slots;
    state().add_service(ServiceId::parse(service), options);
    BackendChange change;
    change.source = ip(family.near + "1");
    state().add_backend(ServiceId::parse(service), BackendId::parse(backend), change);
    set_neighbour(backend, ifname, backend_mac(1));
  }

  void passes_on(const Mac& to) {
    check(*this, {"for another", {.dst = to, .to = vip}, passes(LB_OTHERS_FRAME, service)},
          links().in);
  }
  void balances(const Mac& to, std::uint32_t verdict = XDP_TX) {
    BOOST_TEST(run_inline(build({.dst = to, .to = vip}), links().in).verdict == verdict);
  }

  std::string service;
  Address vip;
};

}  // namespace

BOOST_AUTO_TEST_CASE(for_the_backend_itself) {
  for (const auto& family : families)
    for (const auto forward : {Forward::l2, Forward::ipip}) {
      Site site(family, family.near + "2", "in0", forward);
      site.passes_on(backend_mac(1));
      site.balances(mac_of("in0"));
      auto like = backend_mac(1);
      like[5] ^= 1;
      site.balances(like);
      like = backend_mac(1);
      like[0] ^= 4;
      site.balances(like);
    }
}

// A VLAN's device, a bridge or VRRP may have another address than the interface.
BOOST_AUTO_TEST_CASE(for_a_peer) {
  for (const auto& family : families) {
    Site site(family, family.near + "2", "in0");
    site.balances(peer);
    set_peers(site.pins(), {peer, mac_of("in0")});
    site.passes_on(peer);
    site.balances(mac_of("in0"));  // which all nodes have in their file
    site.balances({0, 0, 0x5e, 0, 1, 0x33});
    set_peers(site.pins(), {});
    site.balances(peer);
  }
}

// Whose frame it is, the way out doesn't tell.
BOOST_AUTO_TEST_CASE(by_another_interface) {
  for (const auto& family : families) {
    Site site(family, family.far + "2", "out0");
    set_peers(site.pins(), {peer});
    site.balances(backend_mac(1), XDP_REDIRECT);
    site.balances(peer, XDP_REDIRECT);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
