// SPDX-License-Identifier: GPL-2.0-only
// Frames that really leave, where they leave: what a verdict alone doesn't tell.
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/bpf/links.h"

namespace xdplb::test {

namespace {

struct Wires : Balancer {
  Wires() {
    add_service("192.0.2.10:80/tcp");
    add_service("[2001:db8::10]:80/udp");
    add_backend("192.0.2.10:80/tcp", "10.9.0.2", 1, 1, links().in);
    add_backend("[2001:db8::10]:80/udp", "2001:db8:a::2", 2, 1, links().out);
  }
};

Wires& wires() {
  static Wires made;
  return made;
}

const PacketSpec tcp4{.to = ip("192.0.2.10")};
const PacketSpec udp6{.to = ip("2001:db8::10"), .proto = proto_udp};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(live, WithLinks)

BOOST_AUTO_TEST_CASE(back_where_it_came_from) {
  attach_pass("in1");
  const Capture capture("in1");
  const auto frame = build(tcp4);
  wires().run_live(frame, links().in);
  const auto sent = sent_to(frame, 14, hop_to(1));
  BOOST_TEST(capture.wait_for([&](const Bytes& seen) { return seen == sent; }).has_value());
}

BOOST_AUTO_TEST_CASE(out_of_another_interface) {
  attach_pass("out1");
  const Capture capture("out1");

  const auto frame = build(udp6);
  wires().run_live(frame, links().in);
  const auto sent = sent_to(frame, 14, hop_to(2));
  BOOST_TEST(capture.wait_for([&](const Bytes& seen) { return seen == sent; }).has_value());
}

BOOST_AUTO_TEST_CASE(by_the_kernels_routes) {
  constexpr Mac mac{0x02, 9, 9, 9, 9, 9};
  set_neighbour("10.9.1.30", "out0", mac);
  wires().add_service("192.0.2.30:80/tcp");
  wires().state().add_backend(ServiceId::parse("192.0.2.30:80/tcp"), BackendId::parse("10.9.1.30"),
                              {1, std::nullopt});
  attach_pass("out1");
  const Capture capture("out1");
  const auto frame = build({.to = ip("192.0.2.30")});
  wires().run_live(frame, links().in);
  const auto sent = sent_to(frame, 14, mac, mac_of("out0"));
  BOOST_TEST(capture.wait_for([&](const Bytes& seen) { return seen == sent; }).has_value());
}

BOOST_AUTO_TEST_CASE(to_the_stack) {
  const Capture capture("in0");
  const auto frame = build({.to = ip("192.0.2.99")});
  wires().run_live(frame, links().in);
  BOOST_TEST(capture.wait_for([&](const Bytes& seen) { return seen == frame; }).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
