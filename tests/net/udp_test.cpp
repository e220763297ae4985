// SPDX-License-Identifier: GPL-2.0-only
// UDP through the balancer: a service of one port, and one of any.
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <sstream>

#include "plugin/error.h"
#include "tests/net/fixture.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

const std::vector<std::uint16_t> ports{53, 443, 5353, 40000};

// Answers what it is asked, with its name in front, from the address that was asked.
int answer(const std::string& name) {
  std::vector<Fd> sockets;
  std::vector<pollfd> polls;
  for (const auto& vip : vips())
    for (const auto port : ports) {
      sockets.push_back(bound_socket(endpoint(vip, port), SOCK_DGRAM));
      polls.push_back({sockets.back().get(), POLLIN, 0});
    }
  while (true) {
    ::poll(polls.data(), polls.size(), -1);
    for (const auto& ready : polls) {
      if (ready.revents == 0) continue;
      std::array<char, 2048> question{};
      sockaddr_storage from{};
      socklen_t size = sizeof(from);
      const auto count = ::recvfrom(ready.fd, question.data(), question.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &size);
      if (count < 0) continue;
      const auto text = name + " " + std::string(question.data(), static_cast<std::size_t>(count));
      ::sendto(ready.fd, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
}

void serve_udp(Site& site) {
  for (auto& host : site.webs) {
    host.start([&] { return answer(host.name()); });
    const Inside here(host);
    const auto ready = [] {
      try {
        udp_ask(endpoint("192.0.2.10", 0), endpoint("192.0.2.10", ports.back()), "?");
        return true;
      } catch (const SystemError&) {
        return false;
      }
    };
    BOOST_REQUIRE(wait_until(ready, 5));
  }
}

void check_questions(const Site& site, const TestService& service, Flows& flows, int count) {
  const Inside here(site.client);
  std::ostringstream wrong;
  for (int i = 0; i < count && wrong.str().empty(); ++i) {
    const auto from = flows.next();
    const auto to = service.endpoint(ports[static_cast<std::size_t>(i) % ports.size()]);
    const auto question = "question " + std::to_string(i);
    const auto wanted = service.expected(from, to.port) + " " + question;
    try {
      const auto got = udp_ask(from, to, question);
      if (got != wanted) wrong << "'" << got << "', not '" << wanted << "'";
    } catch (const SystemError& failure) {
      wrong << failure.what();
    }
    if (!wrong.str().empty()) wrong << " for " << text_of(from) << " to " << text_of(to);
  }
  BOOST_TEST(wrong.str() == "");
}

BOOST_AUTO_TEST_SUITE(udp)

BOOST_DATA_TEST_CASE(every_flow_reaches_the_backend_of_the_model,
                     data::make(modes) * data::make(families), mode, family) {
  Balanced balanced(mode);
  auto& [site, loader] = balanced;
  serve_udp(site);
  const bool v4 = family == "ipv4";
  TestService one_port(loader, vip(10, v4) + ":53/udp");
  TestService any_port(loader, vip(11, v4) + ":0/udp");
  one_port.add({1, 2, 3});
  any_port.add({3, 2});
  Flows flows(v4);
  check_questions(site, one_port, flows, counts(2000, 20000));
  check_questions(site, any_port, flows, counts(2000, 20000));
  BOOST_TEST(loader.dropped() == 0U);
}

// Port 0 takes what no other service of the VIP has.
BOOST_AUTO_TEST_CASE(a_port_of_its_own_comes_before_any_port) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  serve_udp(site);
  TestService any_port(loader, vip(10) + ":0/udp");
  TestService one_port(loader, vip(10) + ":53/udp");
  TestService web_port(loader, vip(10) + ":80/tcp");
  any_port.add({1});
  one_port.add({2});
  web_port.add({3});
  const Inside here(site.client);
  const auto ask = [](std::uint16_t port) {
    return udp_ask(endpoint("10.1.0.2", 0), endpoint("192.0.2.10", port), "?");
  };
  BOOST_TEST(ask(53) == "web2 ?");
  BOOST_TEST(ask(443) == "web1 ?");
  BOOST_TEST(split(http_get(endpoint("10.1.0.2", 0), web_port.endpoint()).body)[0] == "web3");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
