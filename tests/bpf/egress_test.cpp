// SPDX-License-Identifier: GPL-2.0-only
// Which devices have the egress program, for chains that take no program which grows packets.
#include "plugin/egress.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "plugin/reach.h"
#include "tests/bpf/links.h"

namespace xdplb::test {

namespace {

// The id of the device's program; 0 where there is none.
std::uint32_t program_on(const Balancer& balancer, std::uint32_t ifindex) {
  bpf_devmap_val entry{};
  if (::bpf_map_lookup_elem(balancer.pins().egress().get(), &ifindex, &entry) != 0) return 0;
  return entry.bpf_prog.id;
}

void install(const Balancer& balancer, std::uint32_t ifindex) {
  install_egress(XDP_LB_OBJECT, balancer.pins(), ifindex);
}

boost::test_tools::assertion_result bonds(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result made(
      std::system("ip link add bond9 type bond 2>/dev/null && ip link del bond9") == 0);
  made.message() << "the kernel makes no bonds";
  return made;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(egress, WithLinks)

BOOST_AUTO_TEST_CASE(a_new_program_for_every_device) {
  const Balancer balancer;
  install(balancer, links().in);
  allow_egress(balancer.pins(), links().out);
  const auto old = program_on(balancer, links().in);
  BOOST_TEST(old != 0U);
  BOOST_TEST(program_on(balancer, links().out) == old);
  install(balancer, links().in);
  BOOST_TEST(program_on(balancer, links().in) != old);
  BOOST_TEST(program_on(balancer, links().out) == program_on(balancer, links().in));
}

// Packets come in by the ports of a bond, and answers go out by them.
BOOST_AUTO_TEST_CASE(ports_of_a_bond, *boost::unit_test::precondition(bonds)) {
  ip_tool("link add bond9 type bond");
  ip_tool("link add port9 type veth peer name far9");
  ip_tool("link set port9 master bond9");
  const Balancer balancer;
  install(balancer, ifindex_of("bond9"));
  BOOST_TEST(program_on(balancer, ifindex_of("bond9")) != 0U);
  BOOST_TEST(program_on(balancer, ifindex_of("port9")) ==
             program_on(balancer, ifindex_of("bond9")));
  BOOST_TEST(program_on(balancer, ifindex_of("far9")) == 0U);
  ip_tool("link del bond9");
  ip_tool("link del port9");
}

// Before a mode asks for outer headers, what they need is there.
BOOST_AUTO_TEST_CASE(ready_before_the_mode) {
  Balancer balancer;
  install(balancer, links().in);
  const auto id = ServiceId::parse("192.0.2.10:80/tcp");
  const auto backend = BackendId::parse("10.9.1.40");
  balancer.add_service(id.to_string());
  balancer.state().add_backend(id, backend, {});
  const auto found = [&] {
    return *balancer.state().find_backend(balancer.state().service(id), backend);
  };
  BOOST_TEST(!found().source.has_value());
  BOOST_TEST(program_on(balancer, links().out) == 0U);
  open_way(interfaces(), balancer.pins(), balancer.state(), found(), std::nullopt);
  BOOST_TEST((found().source == ip("10.9.1.1")));
  BOOST_TEST((found().forward == Forward::l2));
  BOOST_TEST(program_on(balancer, links().out) == program_on(balancer, links().in));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
