// SPDX-License-Identifier: GPL-2.0-only
// What becomes of fragments, and flows that are all packets of a source.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>
#include <set>

#include "plugin/error.h"
#include "tests/bpf/expect.h"
#include "tests/bpf/model.h"

namespace xdplb::test {

BOOST_AUTO_TEST_SUITE(fragments_and_affinity)

namespace {

constexpr std::uint16_t backends = 7;
const std::vector<std::string> vips{"192.0.2.10", "2001:db8::10"};

ServiceId udp(const Address& vip, std::uint16_t port = 80) { return {vip, port, Protocol::udp}; }

struct Service {
  Balancer balancer;
  ModelService model;

  Service(const Address& vip, const ServiceChange& change)
      : model{udp(vip), 4096, Balance::slack, {}} {
    for (std::uint16_t number = 1; number <= backends; number++)
      model.backends.push_back({"10.0.0." + std::to_string(number), number});
    make(balancer, model);
    balancer.state().set_service(model.id, change);
  }

  // What the model has for all packets from this address.
  [[nodiscard]] std::uint16_t of_source(const Address& from) const {
    return model.owners().at(model.slot_of(from, 0, 0));
  }
};

Address client(bool v4, int number) {
  return ip((v4 ? "198.51.100." : "2001:db8:c::") + std::to_string(number));
}

// The first or a later fragment of a datagram.
PacketSpec piece(const Address& from, const Address& to, std::uint16_t offset, bool more) {
  PacketSpec spec{.from = from, .to = to, .proto = proto_udp, .sport = 5353};
  if (to.is_v4()) {
    spec.offset = offset;
    spec.more = more;
    spec.dont_fragment = false;
  } else {
    spec.extensions = {fragment(offset, more)};
  }
  return spec;
}

ServiceChange fragments(Fragments what) {
  ServiceChange change;
  change.fragments = what;
  return change;
}

}  // namespace

BOOST_AUTO_TEST_CASE(hash3_keeps_all_of_a_source_together) {
  for (const auto& vip : vips) {
    const auto to = ip(vip);
    Service service(to, fragments(Fragments::hash3));
    const auto id = service.model.id.to_string();
    std::set<std::uint16_t> seen;
    for (int number = 1; number < 60; number++) {
      const auto from = client(to.is_v4(), number);
      const auto backend = service.of_source(from);
      seen.insert(backend);
      for (const std::uint16_t sport : {1, 5353, 65535}) {
        const PacketSpec whole{.from = from, .to = to, .proto = proto_udp, .sport = sport};
        check_frame(service.balancer, build(whole), whole, transmits(id, backend));
      }
      for (const auto& spec :
           {piece(from, to, 0, true), piece(from, to, 100, true), piece(from, to, 8191, false)})
        check_frame(service.balancer, build(spec), spec, transmits(id, backend));
    }
    BOOST_TEST(seen.size() == backends);
  }
}

BOOST_AUTO_TEST_CASE(drop_and_pass) {
  for (const auto& vip : vips) {
    const auto to = ip(vip);
    const auto from = client(to.is_v4(), 1);
    Service service(to, fragments(Fragments::pass));
    const auto id = service.model.id.to_string();
    const auto first = piece(from, to, 0, true);
    const auto later = piece(from, to, 100, false);
    check_frame(service.balancer, build(first), first, passes(LB_FRAGMENT_PASSED, id));
    check_frame(service.balancer, build(later), later, passes(LB_LATER_FRAGMENT));
    service.balancer.state().set_service(service.model.id, fragments(Fragments::drop));
    check_frame(service.balancer, build(first), first, drops(LB_FRAGMENT, id));
    check_frame(service.balancer, build(later), later, passes(LB_LATER_FRAGMENT));
  }
}

BOOST_AUTO_TEST_CASE(a_prefix_of_the_source) {
  struct Length {
    std::string vip;
    unsigned bits;
    std::string prefix;  // with zeros behind it
    std::vector<std::string> inside;
    std::string outside;
  };
  const std::vector<Length> lengths{
      {"192.0.2.10", 1, "128.0.0.0", {"128.0.0.1", "255.255.255.255"}, "127.255.255.255"},
      {"192.0.2.10", 24, "10.9.8.0", {"10.9.8.1", "10.9.8.255"}, "10.9.9.1"},
      {"192.0.2.10", 32, "10.9.8.7", {"10.9.8.7"}, "10.9.8.6"},
      {"2001:db8::10", 1, "8000::", {"8000::1", "ffff:ffff::"}, "7fff::"},
      {"2001:db8::10", 56, "2001:db8:0:ab00::", {"2001:db8:0:abff::1"}, "2001:db8:0:ac00::"},
      {"2001:db8::10", 64, "2001:db8:0:ab::", {"2001:db8:0:ab::1"}, "2001:db8:0:ac::"},
      {"2001:db8::10", 65, "2001:db8::", {"2001:db8::1", "2001:db8::7fff:0:0:1"}, "2001:db8:1::"},
      {"2001:db8::10", 128, "2001:db8::9", {"2001:db8::9"}, "2001:db8::8"},
  };
  for (const auto& [vip, bits, prefix, inside, outside] : lengths) {
    BOOST_TEST_CONTEXT(prefix << "/" << bits) {
      ServiceChange change;
      change.source_prefix = bits;
      Service service(ip(vip), change);
      const auto id = service.model.id.to_string();
      const auto check_from = [&](const std::string& from, const std::string& same_as) {
        for (const std::uint16_t sport : {1, 40000}) {
          const PacketSpec spec{
              .from = ip(from), .to = ip(vip), .proto = proto_udp, .sport = sport};
          check_frame(service.balancer, build(spec), spec,
                      transmits(id, service.of_source(ip(same_as))));
        }
      };
      for (const auto& from : inside) check_from(from, prefix);
      BOOST_TEST(service.model.slot_of(ip(outside), 0, 0) !=
                 service.model.slot_of(ip(prefix), 0, 0));
    }
  }
}

BOOST_AUTO_TEST_CASE(only_one_service_has_the_fragments_of_a_vip) {
  Balancer balancer;
  const auto vip = ip("192.0.2.10");
  const auto options = fragments(Fragments::hash3);
  balancer.state().add_service(udp(vip), options);
  BOOST_CHECK_THROW(balancer.state().add_service(udp(vip, 81), options), Error);
  balancer.state().add_service({vip, 81, Protocol::tcp}, options);
  balancer.state().add_service(udp(ip("192.0.2.11"), 81), options);
  balancer.state().set_service(udp(vip), fragments(Fragments::drop));
  balancer.state().add_service(udp(vip, 81), options);
  ServiceChange too_long;
  too_long.source_prefix = 33;
  BOOST_CHECK_THROW(balancer.state().set_service(udp(vip), too_long), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
