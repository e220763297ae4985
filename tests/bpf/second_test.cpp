// SPDX-License-Identifier: GPL-2.0-only
// Second chances of what comes in an outer header: passed on with the header rewritten where it
// stands, byte by byte, or left to this host's stack as it came.
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "plugin/error.h"
#include "plugin/peers.h"
#include "tests/bpf/expect.h"
#include "tests/support/http_client.h"
#include "tests/support/outer.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

const std::vector<std::string> modes{"ipip", "gue", "gre"};

Balancer& balancer() {
  static Balancer made;
  return made;
}

// One VIP, with this host and another as backends.
struct Packed {
  Packed(const std::string& mode, bool inner4, bool outer4)
      : forward(parse_forward(mode).value()),
        v4(inner4),
        client(ip(v4 ? "198.51.100.7" : "2001:db8:c::7")),
        vip(ip(v4 ? "192.0.2.10" : "2001:db8::10")),
        id(ServiceId{vip, 80, Protocol::tcp}),
        peer(ip(outer4 ? "10.0.0.77" : "2001:db8:b::77")),
        here(ip(outer4 ? "10.0.0.1" : "2001:db8:b::1")),
        there(ip(outer4 ? "10.0.0.2" : "2001:db8:b::2")),
        source(ip(outer4 ? "10.0.0.254" : "2001:db8:b::ffff")) {
    ServiceChange options{forward, Balance::slack, min_slots};
    options.second_chance = true;
    balancer().state().add_service(id, options);
    for (const auto& address : {here, there}) {
      BackendChange change{1, hop_to(address == here ? 1 : 2)};
      change.source = source;
      change.local = address == here;
      balancer().state().add_backend(id, {address, 0}, change);
    }
    set_peers(balancer().pins(), {peer, there});
  }
  ~Packed() { balancer().state().delete_service(id); }
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;

  [[nodiscard]] PacketSpec packet() const { return {.from = client, .to = vip}; }
  [[nodiscard]] Bytes wrapped(const PacketSpec& spec, const Address& from,
                              const Address& to) const {
    const auto frame = build(spec);
    return wrap(frame, 14, frame.size(), {forward, from, to, 0x1234});
  }
  // As both programs have it.
  void stays(const Bytes& frame) { check_all(frame, {XDP_PASS, frame}, LB_FROM_PEER); }
  void goes_on(const PacketSpec& spec) {
    auto later = spec;
    later.ttl = std::min<std::uint8_t>(spec.ttl, 4) - 1;
    check_all(wrapped(spec, peer, here),
              {XDP_TX, sent_to(wrapped(later, source, there), 14, hop_to(2))}, LB_FORWARDED);
  }
  void check_all(const Bytes& frame, const Run& wanted, lb_reason reason) {
    const auto before = balancer().totals();
    for (const auto& run : {balancer().run(frame), balancer().run_inline(frame)}) {
      BOOST_TEST(run.verdict == wanted.verdict);
      BOOST_TEST(run.out == wanted.out, boost::test_tools::per_element());
    }
    const auto at =
        reason == LB_FORWARDED
            ? CounterId{CounterId::backend, handle_of(balancer(), id.to_string(), 2), reason}
            : CounterId{CounterId::service, service_number(balancer(), id.to_string()), reason};
    BOOST_TEST((balancer().totals() - before)[at].packets == 2U);
  }

  Forward forward;
  bool v4;
  Address client, vip;
  ServiceId id;
  Address peer, here, there, source;
};

// A connection of this host's, without a handshake.
class Connection {
 public:
  explicit Connection(const Packed& node)
      : vip_("addr replace " + node.vip.to_string() +
             (node.v4 ? "/32 dev lo" : "/128 dev lo nodad")),
        route_("route replace " + node.client.to_string() + " dev lo") {
    socket_ = bound_socket({node.vip, 80}, SOCK_STREAM);
    const int on = 1;
    if (::setsockopt(socket_.get(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) != 0)
      throw SystemError(errno, "having a connection repaired");
    connect_socket(socket_, {node.client, 40000});
  }

 private:
  // There while it lives.
  struct Setting {
    explicit Setting(std::string words) : line(std::move(words)) { ip_tool(line); }
    ~Setting() { ip_tool(line.replace(line.find("replace"), 7, "del")); }
    std::string line;
  };
  Setting vip_, route_;
  Fd socket_;
};

BOOST_AUTO_TEST_SUITE(second_in_outer)

BOOST_DATA_TEST_CASE(goes_to_the_other,
                     data::make(modes) * data::make({true, false}) * data::make({true, false}),
                     mode, inner4, outer4) {
  Packed node(mode, inner4, outer4);
  for (std::uint16_t port = 40000; port < 40016; port++) {
    auto spec = node.packet();
    spec.sport = port;
    node.goes_on(spec);
    spec.ttl = 3;
    spec.payload = 1;
    node.goes_on(spec);
  }
}

BOOST_DATA_TEST_CASE(stays_here, data::make(modes) * data::make({true, false}), mode, v4) {
  Packed node(mode, v4, v4);
  auto spec = node.packet();
  node.stays(node.wrapped(spec, node.there, node.here));  // which asked that one before
  spec.ttl = 1;
  node.stays(node.wrapped(spec, node.peer, node.here));
  spec = node.packet();
  spec.flags = 2;  // SYN
  node.stays(node.wrapped(spec, node.peer, node.here));
  spec = node.packet();
  node.stays(node.wrapped(spec, node.peer, node.source));  // no backend's address
  spec.dst = broadcast_mac;
  node.stays(node.wrapped(spec, node.peer, node.here));
  spec = node.packet();
  node.goes_on(spec);
  {
    const Connection connection(node);
    node.stays(node.wrapped(spec, node.peer, node.here));
    spec.sport++;
    node.goes_on(spec);
    spec.sport--;
  }
  node.goes_on(spec);
}

// What isn't a peer's, or not for a service with second chances, is none of ours.
BOOST_DATA_TEST_CASE(is_left_alone, data::make(modes) * data::make({true, false}), mode, v4) {
  Packed node(mode, v4, v4);
  const auto untouched = [&](const Bytes& frame) {
    const auto before = balancer().totals();
    for (const auto& run : {balancer().run(frame), balancer().run_inline(frame)}) {
      BOOST_TEST(run.verdict == XDP_PASS);
      BOOST_TEST(run.out == frame, boost::test_tools::per_element());
    }
    const CounterId at{CounterId::family, v4 ? LB_IPV4 : LB_IPV6,
                       mode == "gue" ? LB_NOT_SERVICE : LB_NOT_TRANSPORT};
    BOOST_TEST((balancer().totals() - before)[at].packets == 2U);
  };
  auto spec = node.packet();
  untouched(node.wrapped(spec, node.source, node.here));
  if (!v4) untouched(node.wrapped(spec, Address(), node.here));
  spec.dport = 81;
  untouched(node.wrapped(spec, node.peer, node.here));
  if (v4) {
    spec = node.packet();
    spec.more = true;
    untouched(node.wrapped(spec, node.peer, node.here));
  }
  spec = node.packet();
  set_peers(balancer().pins(), {});
  untouched(node.wrapped(spec, node.peer, node.here));
  set_peers(balancer().pins(), {node.peer});
  node.goes_on(spec);
  ServiceChange off;
  off.second_chance = false;
  balancer().state().set_service(node.id, off);
  untouched(node.wrapped(spec, node.peer, node.here));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
