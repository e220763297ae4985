// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/forwarding.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>

namespace xdplb::test {

namespace {

const Words pools{"10.2.0.100-10.2.0.103", "fd00:2::100-fd00:2::103"};

bool rewrites(const std::string& forward) {
  return std::ranges::find(rewriting, forward) != rewriting.end();
}

void check_paths(const Site& site, const std::string& owner, const TestService& service,
                 const Address& seen, unsigned mtu) {
  BOOST_TEST(path_mtu(site.client, service.vip()) == mtu);
  for (const auto& web : site.webs)
    BOOST_TEST(path_mtu(web, seen) == (web.name() == owner ? mtu : 0U), web.name());
}

}  // namespace

std::string forward_options(const std::string& forward, bool v4) {
  return "--forward " + forward + (forward == "fullnat" ? " --pool " + pools[v4 ? 0 : 1] : "");
}

void add_pool(const Site& site) {
  std::string lines;
  for (const auto& text : pools) {
    const auto pool = Pool::parse(text);
    for (unsigned i = 0; i < pool.count; ++i)
      lines += "addr add " + pool.at(i).to_string() +
               (pool.first.is_v4() ? "/32 dev eth0\n" : "/128 dev eth0 nodad\n");
  }
  site.balancer.ip(lines);
}

void reply_through_balancer(const Site& site) {
  for (const auto& web : site.webs) {
    const std::string net = web.name() == "web4" ? "4" : "2";
    web.ip("route add 10.1.0.0/24 via 10." + net + ".0.11\nroute add fd00:1::/64 via fd00:" + net +
           "::11");
  }
}

Member member_of(const TestService& service, const std::string& forward, int number,
                 std::uint16_t port) {
  return rewrites(forward) ? web_at(number, port, service.is_v4())
                           : web(number, 1, service.is_v4());
}

std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void check_narrow_path(const Site& site, const TestService& service, const Endpoint& from,
                       std::size_t size) {
  forget_paths(site.client);
  for (const auto& web : site.webs) forget_paths(web);
  const Inside here(site.client);
  HttpConnection connection(from, service.endpoint());
  const auto said = connection.get("/keep").body;
  BOOST_REQUIRE_MESSAGE(service.is_answer(said, from, 80), said);
  const auto owner = split(said)[0];
  const auto seen = Address::parse(split(said)[1]);
  check_paths(site, owner, service, seen, 0);

  const auto sent = random_bytes(size);
  BOOST_TEST(connection.put("/file/large", sent).status == 201);
  BOOST_TEST((connection.get("/file/large").body == sent));
  const auto number = static_cast<std::size_t>(owner.back() - '1');
  BOOST_TEST((site.file(number, "large") == sent));
  site.remove_file(number, "large");
  check_paths(site, owner, service, seen, narrow);
}

}  // namespace xdplb::test
