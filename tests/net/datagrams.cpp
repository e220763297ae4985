// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/datagrams.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <sstream>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

int answer(const std::string& name, const Words& addresses) {
  std::vector<Fd> sockets;
  std::vector<pollfd> polls;
  for (const auto& address : addresses)
    for (const auto port : udp_ports) {
      sockets.push_back(bound_socket(endpoint(address, port), SOCK_DGRAM));
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

bool answers() {
  try {
    const auto last = endpoint(vips().front(), udp_ports.back());
    udp_ask(endpoint(vips().front(), 0), last, "?");
    return true;
  } catch (const SystemError&) {
    return false;
  }
}

}  // namespace

void serve_udp(Site& site) {
  for (int number = 1; number <= 4; ++number) {
    auto& host = site.webs[static_cast<std::size_t>(number - 1)];
    auto addresses = vips();
    for (const bool v4 : {true, false}) addresses.push_back(web(number, 1, v4).address);
    host.start([&] { return answer(host.name(), addresses); });
    const Inside here(host);
    BOOST_REQUIRE(wait_until(answers, 5));
  }
}

void check_questions(const Site& site, const TestService& service, Flows& flows, int count) {
  const Inside here(site.client);
  std::ostringstream wrong;
  for (int i = 0; i < count && wrong.str().empty(); ++i) {
    const auto from = flows.next();
    const auto to = service.endpoint(udp_ports[static_cast<std::size_t>(i) % udp_ports.size()]);
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

}  // namespace xdplb::test
