// SPDX-License-Identifier: GPL-2.0-only
// The example of health checks takes backends out and back in.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <map>

#include "tests/net/fixture.h"

namespace xdplb::test {
namespace {

using States = std::map<std::string, std::string>;

BOOST_AUTO_TEST_SUITE(health_checks)

BOOST_AUTO_TEST_CASE(follow_what_answers) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  TestService service(loader, vip(10) + ":80/tcp");
  service.add({1, 2, 3});
  const auto states = [&loader = loader] {
    States all;
    for (const auto& one : loader.json("backend list")) all[one.at("backend")] = one.at("state");
    return all;
  };
  const auto check = [&, &site = site] {
    const auto folder = std::filesystem::path(XDP_LB_LOADER).parent_path().string();
    site.balancer.require(
        {"sh", "-c",
         "PATH=" + folder + ":$PATH exec sh " XDP_LB_EXAMPLES "/health-check.sh " + service.id()});
    return states();
  };
  const auto with = [](const char* web1, const char* web2, const char* web3) {
    return States{{web(1).address, web1}, {web(2).address, web2}, {web(3).address, web3}};
  };
  BOOST_TEST((check() == with("up", "up", "up")));
  site.webs[0].ip("link set eth0 down");
  BOOST_TEST((check() == with("down", "up", "up")));
  loader.require("backend drain " + service.id() + " " + web(2).address);
  site.webs[1].ip("link set eth0 down");
  site.webs[0].ip("link set eth0 up");
  BOOST_TEST((check() == with("up", "drain", "up")));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
