// SPDX-License-Identifier: GPL-2.0-only
// What ipvsadm prints of rules that the kernel has: in another order and other words than it was
// told them.
#include "plugin/import.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tests/vm/lab.h"

namespace xdplb::test {
namespace {

// As 'ipvsadm -R' takes them.
const std::string rules =
    "-A -t 192.0.2.10:80 -s wrr\n"
    "-a -t 192.0.2.10:80 -r 10.0.0.1:80 -g -w 3\n"
    "-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i -w 0\n"
    "-A -u 192.0.2.10:53 -s rr\n"
    "-a -u 192.0.2.10:53 -r 10.0.0.1:5353 -m -w 7\n"
    "-A -t 192.0.2.11:80 -s mh -p 300 -M 255.255.255.0 -b mh-fallback\n"
    "-a -t 192.0.2.11:80 -r 10.0.0.1:80 -i --tun-type gre --tun-csum -w 1\n"
    "-A -t 192.0.2.12:80 -s wrr\n"
    "-a -t 192.0.2.12:80 -r 10.0.0.1:80 -i --tun-type gue --tun-port 7000 --tun-remcsum -w 1\n"
    "-a -t 192.0.2.12:80 -r 10.0.0.2:80 -i --tun-type gue --tun-port 7000 --tun-nocsum -w 2\n"
    "-A -t [2001:db8::10]:443 -s sh -b sh-port,sh-fallback\n"
    "-a -t [2001:db8::10]:443 -r [fd00::1]:443 -i --tun-type gue --tun-port 7000 --tun-csum -w 1\n"
    "-A -t 192.0.2.13:0 -s wrr -p 60\n"
    "-a -t 192.0.2.13:0 -r 10.0.0.1:0 -g -w 1\n"
    "-A -f 7 -s rr\n";

std::string read(const std::string& name) {
  std::ifstream file(name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// In one order, whatever order the rules have.
std::string sorted_text(Config config) {
  std::ranges::sort(config.services, {}, &ServiceConfig::id);
  for (auto& service : config.services) std::ranges::sort(service.backends, {}, &BackendConfig::id);
  return to_text(config);
}

std::vector<std::string> sorted_left(const Imported& imported) {
  std::vector<std::string> all;
  for (const auto& left : imported.left) all.push_back(left.text);
  std::ranges::sort(all);
  return all;
}

// What is told of the saved line that has this in it.
bool is_told(const Imported& imported, const std::string& saved, const std::string& part,
             const std::string& text) {
  return std::ranges::any_of(imported.left, [&](const Left& left) {
    std::istringstream lines(saved);
    std::string line;
    for (unsigned number = 0; number < left.from; number++) std::getline(lines, line);
    return line.find(part) != std::string::npos && left.text.find(text) != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE(import)

BOOST_AUTO_TEST_CASE(what_ipvsadm_prints, *boost::unit_test::label("smoke")) {
  Lab lab;
  std::ofstream("/run/rules") << rules;
  lab.host.require({"sh", "-ec", "ipvsadm -R </run/rules; ipvsadm -Sn >/run/saved; ipvsadm -C"});
  const auto saved = read("/run/saved");
  BOOST_TEST_MESSAGE(saved);
  const auto given = import_ipvs(rules);
  const auto printed = import_ipvs(saved);
  BOOST_TEST(printed.config.services.size() == 6U);
  BOOST_TEST(sorted_text(printed.config) == sorted_text(given.config));
  BOOST_TEST(sorted_left(printed) == sorted_left(given), boost::test_tools::per_element());
  for (const auto& [part, text] :
       {std::pair{"mh-fallback", "flag mh-fallback"}, std::pair{"sh-fallback", "flag sh-fallback"},
        std::pair{"--tun-csum", "have a checksum"}, std::pair{"--tun-remcsum", "there is none"},
        std::pair{"-p 300", "no timeout"}, std::pair{"-f 7", "firewall marks"}})
    BOOST_TEST(is_told(printed, saved, part, text), part << " of " << saved);
  std::ofstream("/run/imported.toml") << lab.require("xdp-lb import ipvs /run/saved");
  lab.require("xdp-lb plan --offline /run/imported.toml");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
