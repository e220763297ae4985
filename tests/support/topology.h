// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A site to balance load in: hosts, the way of a packet to the balancer, web servers behind it.
//
//   client eth0 --- wan  router  lan0 ---+--- eth0 balancer eth1 ---+--- lan1  router
//                                        |                          |
//                                  web1 web2 web3                  web4
//
// lan0 and lan1 are bridges of the router, with the balancer's ports lb0 and lb1. Addresses: the
// client has 10.1.0.2 to .5, the router .1 on each net, the balancer 10.2.0.11 and 10.4.0.11,
// webN 10.2.0.2N, web4 10.4.0.24; and fd00:1::2 to ::5, fd00:2::11, fd00:2::2N ... likewise. The
// router sends 192.0.2.0/24 and 2001:db8:ffff::/64 to the balancer's eth0, and web servers have
// the VIPs of vips() on loopback: what the balancer forwards is answered straight to the client.

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/host.h"
#include "tests/support/http_client.h"

namespace xdplb::test {

const Words& vips();

class Site {
 public:
  struct Options {
    bool native = true;  // ready for native XDP on the balancer
    unsigned mtu = 1500;
  };
  explicit Site(const Options& options);
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  // Web servers on ports 80 and 8080. GET / says "webN CLIENT PORT": who answered, and whom it
  // saw; /keep does as well, and leaves the connection open, and /ask?WORD says the word, too.
  // Files can be put and got below /file/.
  void serve_http();
  [[nodiscard]] std::string file(std::size_t web, const std::string& name) const;  // its bytes
  void remove_file(std::size_t web, const std::string& name) const;

  // From the client.
  HttpReply get(const Endpoint& from, const Endpoint& to, const std::string& path = "/") const;

  Host client{"client"}, router{"router"}, balancer{"balancer"};
  std::array<Host, 4> webs{Host("web1"), Host("web2"), Host("web3"), Host("web4")};

 private:
  void connect(unsigned mtu) const;
  void give_addresses() const;
  void tune() const;
  void write_nginx_conf(std::size_t web) const;

  std::string folder_;
};

// An XDP program that passes everything: native XDP_TX on a veth needs one on its peer.
void attach_pass(const Host& host, const std::string& ifname);

}  // namespace xdplb::test
