// SPDX-License-Identifier: GPL-2.0-only
// Ways out that the kernel's routes name: with a VLAN's tag, which must be there already, or
// without one. A VLAN device is what lb_vlans says: here out0, as if on top of in0.
#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/bpf/expect.h"
#include "tests/bpf/links.h"

namespace xdplb::test {

BOOST_FIXTURE_TEST_SUITE(vlan, WithLinks)

namespace {

constexpr Mac mac{0x02, 0xaa, 1, 2, 3, 4};
constexpr std::uint16_t vlan_id = 0x123;

const std::string flat = "192.0.2.10:80/tcp";     // its backend is on in0
const std::string tagged4 = "192.0.2.11:80/tcp";  // on out0
const std::string tagged6 = "[2001:db8::11]:80/tcp";

struct Vlan : Balancer {
  Vlan() {
    const auto serve = [&](const std::string& id, const std::string& backend,
                           const std::string& ifname) {
      set_neighbour(backend, ifname, mac);
      add_service(id);
      state().add_backend(ServiceId::parse(id), BackendId::parse(backend), {1, std::nullopt});
    };
    serve(flat, "10.9.0.40", "in0");
    serve(tagged4, "10.9.1.40", "out0");
    serve(tagged6, "2001:db8:a::40", "out0");
    const lb_vlan vlan{links().in, vlan_id, 0};
    const auto key = links().out;
    BOOST_TEST_REQUIRE(::bpf_map_update_elem(pins().vlans().get(), &key, &vlan, BPF_ANY) == 0);
  }

  void expect_sent(const std::string& id, const PacketSpec& spec, const Bytes& right) {
    const auto before = totals();
    const auto run = this->run(build(spec), links().in);
    const auto moved = totals() - before;
    const auto handle = state().backends(service_number(*this, id)).at(0).handle;
    const lb_counter one{1, right.size() - spec.padding};
    BOOST_TEST(run.verdict == XDP_TX);
    BOOST_TEST(run.out == right, boost::test_tools::per_element());
    BOOST_TEST(moved == (Totals{{{CounterId::backend, handle, LB_FORWARDED}, one}}));
  }

  void expect_mismatch(const std::string& id, const PacketSpec& spec) {
    check_frame(*this, build(spec), spec, drops(LB_VLAN_MISMATCH, id), links().in);
  }
};

// The frame with the VLAN's id in its tag, whose upper four bits stay.
Bytes retagged(Bytes frame) {
  put16(frame, 14, static_cast<std::uint16_t>((get16(frame, 14) & 0xf000) | vlan_id));
  return frame;
}

}  // namespace

BOOST_AUTO_TEST_CASE(tags_fit_the_way_out) {
  Vlan balancer;
  const std::vector<std::uint16_t> one{ether_vlan};
  const auto device = mac_of("out0");
  const auto out = [&](const PacketSpec& spec) {
    return sent_to(retagged(build(spec)), l3_offset(spec), mac, device);
  };
  for (const auto& [id, to] :
       {std::pair{tagged4, ip("192.0.2.11")}, {tagged6, ip("2001:db8::11")}}) {
    BOOST_TEST_CONTEXT(id) {
      const PacketSpec plain{.tags = one, .to = to};
      const PacketSpec padded{.tags = one, .to = to, .payload = 0, .padding = 9};
      balancer.expect_sent(id, plain, out(plain));
      balancer.expect_sent(id, padded, out(padded));
      balancer.expect_mismatch(id, {.to = to});
      balancer.expect_mismatch(id, {.tags = {ether_service_vlan, ether_vlan}, .to = to});
      balancer.expect_mismatch(id, {.tags = {ether_vlan, ether_vlan}, .to = to});
    }
  }
  const PacketSpec untagged{.to = ip("192.0.2.10")};
  balancer.expect_sent(flat, untagged, sent_to(build(untagged), 14, mac, mac_of("in0")));
  balancer.expect_mismatch(flat, {.tags = one, .to = untagged.to});
  balancer.expect_mismatch(flat, {.tags = {ether_vlan, ether_vlan}, .to = untagged.to});
}

// Each priority and drop eligibility, and each VLAN that a frame may come from.
BOOST_AUTO_TEST_CASE(only_the_id_is_written) {
  Vlan balancer;
  const PacketSpec spec{.tags = {ether_vlan}, .to = ip("192.0.2.11")};
  auto frame = build(spec);
  const auto device = mac_of("out0");
  std::size_t wrong = 0;
  for (std::uint32_t tci = 0; tci < 65536; tci += 7) {
    put16(frame, 14, static_cast<std::uint16_t>(tci));
    const auto run = balancer.run(frame, links().in);
    if (run.verdict != XDP_TX || run.out != sent_to(retagged(frame), 18, mac, device)) wrong++;
  }
  BOOST_TEST(wrong == 0U);
}

BOOST_AUTO_TEST_CASE(last_hop_comes_first) {
  Vlan balancer;
  const PacketSpec spec{.to = ip("192.0.2.11"), .ttl = 1};
  check_frame(balancer, build(spec), spec, drops(LB_TTL_EXPIRED, tagged4), links().in);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
