// SPDX-License-Identifier: GPL-2.0-only
// Other balancers' configurations as ours: what is carried over, and that nothing is left in
// silence.
#include "plugin/import.h"

#include <boost/test/unit_test.hpp>

namespace xdplb::test {
namespace {

std::string all_of(const std::vector<Left>& left) {
  std::string text;
  for (const auto& [from, to, what] : left) {
    text += std::to_string(from);
    if (to != from) text += "-" + std::to_string(to);
    text += ": " + what + "\n";
  }
  return text;
}

// What is imported can be read again, and has no mistake.
void check_file(const Imported& imported) {
  const auto text = to_text(imported.config);
  BOOST_TEST(to_text(parse_config(text, "imported")) == text);
}

void check_import(const Imported& imported, const std::string& file, const std::string& left) {
  BOOST_TEST(to_text(imported.config) == file);
  BOOST_TEST(all_of(imported.left) == left);
  check_file(imported);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(import)

BOOST_AUTO_TEST_CASE(ipvs_rules) {
  check_import(import_ipvs("-A -t 192.0.2.10:80 -s wrr\n"
                           "-a -t 192.0.2.10:80 -r 10.0.0.1:80 -g -w 3\n"
                           "-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i -w 0\n"
                           "-A -u 192.0.2.10:53 -s rr\n"
                           "-a -u 192.0.2.10:53 -r 10.0.0.1:5353 -m -w 7\n"
                           "-A -t [2001:db8::10]:443 -s sh -b sh-port\n"
                           "-a -t [2001:db8::10]:443 -r [2001:db8::1]:443 -i --tun-type gue "
                           "--tun-port 7000 -w 1\n"
                           "-A -t 192.0.2.11:0 -s mh\n"
                           "-a -t 192.0.2.11:0 -r 10.0.0.1:0 -i --tun-type gre\n"),
               R"([[service]]
address = "192.0.2.10:80/tcp"

[[service.backend]]
address = "10.0.0.1"
weight = 3

[[service.backend]]
address = "10.0.0.2"
forward = "ipip"
state = "drain"

[[service]]
address = "192.0.2.10:53/udp"
forward = "nat"

[[service.backend]]
address = "10.0.0.1:5353"

[[service]]
address = "[2001:db8::10]:443/tcp"
forward = "gue"
gue-port = 7000

[[service.backend]]
address = "2001:db8::1"

[[service]]
address = "192.0.2.11:0/tcp"
forward = "gre"
affinity = 32

[[service.backend]]
address = "10.0.0.1"
)",
               "");
}

BOOST_AUTO_TEST_CASE(ipvs_lines_that_have_no_equal) {
  check_import(
      import_ipvs("-C\n"
                  "# a comment\n"
                  "-A -f 1 -s rr\n"
                  "-a -f 1 -r 10.0.0.1:80 -g -w 1\n"
                  "-A -t 192.0.2.10:80 -s wlc -p 300 -M 255.255.255.0\n"
                  "-a -t 192.0.2.10:80 -r 10.0.0.1:80 -g -w 1 -x 100 -y 50\n"
                  "-a -t 192.0.2.10:80 -r 10.0.0.2:81 -g -w 1\n"
                  "-a -t 192.0.2.10:80 -r 10.0.0.3:80 -g -w 70000\n"
                  "-a -t 192.0.2.10:81 -r 10.0.0.3:80 -g -w 1\n"
                  "-A -t www.example:80 -s rr\n"
                  "--sctp-service\n"
                  "-A -t 192.0.2.12:80 -s rr --pe sip -o\n"),
      R"([[service]]
address = "192.0.2.10:80/tcp"
affinity = 24

[[service.backend]]
address = "10.0.0.1"
)",
      "1: '-C' is not understood\n"
      "3: firewall marks: services are known by address, port and protocol\n"
      "4: firewall marks: services are known by address, port and protocol\n"
      "5: scheduler wlc: flows are spread by weight, connections are not counted\n"
      "5: persistence is affinity: it has no timeout\n"
      "6: thresholds: connections are not counted\n"
      "7: backend 10.0.0.2:81 of service 192.0.2.10:80/tcp: mode l2 doesn't change the packet's "
      "port; leave the backend's port out, or choose mode nat or fullnat\n"
      "8: weight '70000' is not a number from 0 to 65535\n"
      "9: no line before adds its service\n"
      "10: 'www.example' is no IP address; write it like 192.0.2.10 or 2001:db8::10\n"
      "11: --sctp-service has no value\n"
      "12: persistence engines: there are none\n"
      "12: one-packet scheduling: flows stay together\n"
      "12: service 192.0.2.12:80/tcp has no backend here\n");
}

// Outer headers' checksums, and flags of schedulers.
BOOST_AUTO_TEST_CASE(ipvs_options_that_have_no_equal) {
  check_import(
      import_ipvs(
          "-A -t 192.0.2.10:80 -s sh -b sh-fallback,sh-port\n"
          "-a -t 192.0.2.10:80 -r 10.0.0.1:80 -i --tun-type gue --tun-port 7000 --tun-csum\n"
          "-a -t 192.0.2.10:80 -r [fd00::1]:80 -i --tun-type gue --tun-port 7000 "
          "--tun-csum\n"
          "-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i --tun-type gue --tun-port 7000 "
          "--tun-remcsum\n"
          "-a -t 192.0.2.10:80 -r 10.0.0.3:80 -i --tun-type gue --tun-port 7000 "
          "--tun-nocsum\n"
          "-a -t 192.0.2.10:80 -r [fd00::2]:80 -i --tun-type gue --tun-port 7000 "
          "--tun-nocsum\n"
          "-A -t 192.0.2.11:80 -s mh -b mh-fallback,flag-3\n"
          "-a -t 192.0.2.11:80 -r 10.0.0.1:80 -i --tun-type gre --tun-csum -y 50\n"
          "-a -t 192.0.2.11:80 -r 10.0.0.2:80 -i --tun-type nat\n"),
      R"([[service]]
address = "192.0.2.10:80/tcp"
forward = "gue"
gue-port = 7000

[[service.backend]]
address = "10.0.0.1"

[[service.backend]]
address = "fd00::1"

[[service.backend]]
address = "10.0.0.2"

[[service.backend]]
address = "10.0.0.3"

[[service.backend]]
address = "fd00::2"

[[service]]
address = "192.0.2.11:80/tcp"
forward = "gre"
affinity = 32

[[service.backend]]
address = "10.0.0.1"
)",
      "1: flag sh-fallback: new flows go to backends that take them, always\n"
      "2: --tun-csum: outer headers of mode gue to IPv6 have a checksum, and no others\n"
      "4: --tun-remcsum: remote checksum offload: there is none\n"
      "6: --tun-nocsum: outer headers of mode gue to IPv6 have a checksum, and no others\n"
      "7: flag mh-fallback: new flows go to backends that take them, always\n"
      "7: flag flag-3: it is not understood\n"
      "8: --tun-csum: outer headers of mode gue to IPv6 have a checksum, and no others\n"
      "8: thresholds: connections are not counted\n"
      "9: tunnel type 'nat' is neither ipip, gue nor gre\n");
}

BOOST_AUTO_TEST_CASE(keepalived_tunnels) {
  check_import(import_keepalived("virtual_server 192.0.2.10 80 {\n"
                                 "  lb_algo sh\n"
                                 "  sh-port\n"
                                 "  sh-fallback\n"
                                 "  lvs_method TUN csum type gre\n"
                                 "  real_server 10.0.0.1 80 {\n"
                                 "  }\n"
                                 "  real_server 10.0.0.2 80 {\n"
                                 "    lvs_method TUN type gue port 7000 remcsum\n"
                                 "  }\n"
                                 "  real_server 10.0.0.3 80 {\n"
                                 "    lvs_method TUN type vxlan\n"
                                 "  }\n"
                                 "  real_server fd00::4 80 {\n"
                                 "    lvs_method TUN type gue port 7000 csum fast\n"
                                 "  }\n"
                                 "}\n",
                                 "file"),
               R"([[service]]
address = "192.0.2.10:80/tcp"
forward = "gre"
gue-port = 7000

[[service.backend]]
address = "10.0.0.1"

[[service.backend]]
address = "10.0.0.2"
forward = "gue"

[[service.backend]]
address = "fd00::4"
forward = "gue"
)",
               "4: sh-fallback: new flows go to backends that take them, always\n"
               "5: csum: outer headers of mode gue to IPv6 have a checksum, and no others\n"
               "9: remcsum: remote checksum offload: there is none\n"
               "11: tunnel type 'vxlan' is neither ipip, gue nor gre\n"
               "15: fast: it is not understood\n");
}

BOOST_AUTO_TEST_CASE(keepalived_virtual_servers) {
  check_import(import_keepalived("virtual_server_group web {\n"
                                 "  192.0.2.10-11 80 ! two\n"
                                 "  fwmark 3\n"
                                 "}\n"
                                 "virtual_server group web\n"
                                 "{\n"
                                 "  lvs_method TUN type gue port 7000 nocsum\n"
                                 "  weight 5\n"
                                 "  real_server 10.0.0.1 80 { weight 2 }\n"
                                 "  real_server 10.0.0.2 80 {\n"
                                 "    lvs_method DR\n"
                                 "    HTTP_GET { url { path \"/a{}\" } }\n"
                                 "  }\n"
                                 "}\n"
                                 "vrrp_instance one { interface eth0 }\n",
                                 "file"),
               R"([[service]]
address = "192.0.2.10:80/tcp"
forward = "gue"
gue-port = 7000

[[service.backend]]
address = "10.0.0.1"
weight = 2

[[service.backend]]
address = "10.0.0.2"
weight = 5
forward = "l2"

[[service]]
address = "192.0.2.11:80/tcp"
forward = "gue"
gue-port = 7000

[[service.backend]]
address = "10.0.0.1"
weight = 2

[[service.backend]]
address = "10.0.0.2"
weight = 5
forward = "l2"
)",
               "3: fwmark: services are known by address, port and protocol\n"
               "12: HTTP_GET: backends are not checked: a checker calls 'xdp-lb backend down' and "
               "'up'\n"
               "15: vrrp_instance: it isn't about services: keepalived goes on with it\n");
}

BOOST_AUTO_TEST_CASE(keepalived_braces_that_do_not_match) {
  for (const auto& [text, message] : {std::pair{"a {\n", "file:1:1: this block has no end"},
                                      std::pair{"a\n}\n", "file:2:1: this ends no block"},
                                      std::pair{"{\n}\n", "file:1:1: a block without a name"}})
    BOOST_CHECK_EXCEPTION(import_keepalived(text, "file"), ConfigError, [&](const auto& error) {
      BOOST_TEST(error.what() == std::string(message));
      return true;
    });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
