// SPDX-License-Identifier: GPL-2.0-only
#include "tests/vm/chained_site.h"

#include <boost/test/unit_test.hpp>

namespace xdplb::test {

void open_tunnels(const Site& site) {
  for (const auto* module : {"ipip", "sit", "ip6_tunnel", "ip_gre", "ip6_gre", "fou", "fou6"})
    site.router.require({"modprobe", module});
  for (const auto& web : site.webs) {
    for (const std::string device : {"all", "eth0", "tunl0", "sit0", "gre0"})
      web.sysctl("ipv4/conf/" + device + "/rp_filter", "0");
    std::string lines;
    for (const std::string device : {"tunl0", "sit0", "gre0", "ip6tnl0", "ip6gre0"})
      lines += "link set " + device + " up\n";
    web.ip(lines);
    web.require(split("ip -6 tunnel change ip6tnl0 mode any"));
    web.require(split("ip fou add port 6080 gue"));
    web.require(split("ip -6 fou add port 6080 gue"));
  }
}

ChainedSite::ChainedSite(const std::string& mode, const std::string& ifnames) {
  open_tunnels(site);
  site.serve_http();
  site.balancer.require(split("xdp-filter load -f tcp -m " + mode + " eth0"));
  loader.require("load " + ifnames + " --mode " + mode + " --key-file " + key_file());
  const auto chain = loader.json("status eth0").at("interfaces").at(0).at("components");
  BOOST_TEST(chain.size() == 2U);
  const std::string ours = chain.back().at("name");
  BOOST_TEST_MESSAGE("ours is " << ours);
  const std::string way = ours == "xdp_lb" ? "encapsulates on egress" : "encapsulates in it";
  const std::string growth = ours == "xdp_lb" ? "may not grow packets" : "may grow packets";
  const auto said = loader.run("check").out;
  for (const auto& part : {way, growth})
    BOOST_TEST((said.find(part) != std::string::npos), part << " is not in: " << said);
}

}  // namespace xdplb::test
