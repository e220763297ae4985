// SPDX-License-Identifier: GPL-2.0-only
// The configuration file: every mistake at its place, all of them at once.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "plugin/config.h"

namespace xdplb::test {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> mistakes;
  try {
    parse_config(text, "f");
  } catch (const ConfigError& error) {
    std::string what = error.what();
    for (std::size_t at = 0; at <= what.size();) {
      const auto end = std::min(what.find('\n', at), what.size());
      mistakes.push_back(what.substr(at, end - at));
      at = end + 1;
    }
    BOOST_TEST(error.mistakes().size() == mistakes.size());
  }
  return mistakes;
}

// Exactly one mistake, which starts like this.
void check_mistake(const std::string& text, const std::string& wanted) {
  const auto mistakes = lines_of(text);
  BOOST_TEST_CONTEXT(text) {
    BOOST_TEST_REQUIRE(mistakes.size() == 1U);
    BOOST_TEST(mistakes[0].starts_with(wanted), mistakes[0] << " is not " << wanted);
  }
}

// These, and no others; each starts as is wanted.
void check_mistakes(const std::string& text, const std::vector<std::string>& wanted) {
  const auto mistakes = lines_of(text);
  BOOST_TEST_CONTEXT(text) {
    BOOST_TEST(mistakes.size() == wanted.size());
    for (std::size_t i = 0; i < std::min(mistakes.size(), wanted.size()); i++)
      BOOST_TEST(mistakes[i].starts_with(wanted[i]), mistakes[i] << " is not " << wanted[i]);
  }
}

const std::string service = "[[service]]\naddress = \"192.0.2.10:80/tcp\"\n";
const std::string other = "[[service]]\naddress = \"192.0.2.11:80/tcp\"\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(config_mistakes)

BOOST_AUTO_TEST_CASE(mistakes) {
  check_mistake("a = ", "f:1:");
  check_mistake("a = f\n", "f:1:6: Error while parsing boolean: expected 'false', saw 'f\\x0a'");
  check_mistake("arena = \"\\n\\u001b\"", "f:1:9: arena '\\x0a\\x1b' is not a power");
  check_mistake("arena = \"7M\"", "f:1:9: arena '7M' is not a power of two");
  check_mistake("arena = 8", "f:1:9: arena is not a text; write it in double quotes");
  check_mistake("exceptions = 1025", "f:1:14: exceptions is not a power of two");
  check_mistake("flows = -1", "f:1:9: flows is not a number from 1024 to 16777216");
  check_mistake("cluster-key = \"00\"", "f:1:15: cluster-key is not 32 hexadecimal digits");
  check_mistake("service = 3", "f:1:11: service is not an array; write [[service]] for each");
  check_mistake("defaults = 3", "f:1:12: defaults is not a table; write its keys below [defaults]");
  check_mistake("interface = [5]",
                "f:1:14: interface is not a table; write its keys below [[interface]]");
  check_mistake("[interface]\nname = \"a\"",
                "f:1:1: interface is not an array; write [[interface]] for each");
  const std::string peers = "; write peers = [\"MAC or ADDRESS\", ...]";
  check_mistake("peers = \"10.0.0.1\"", "f:1:9: peers is not an array" + peers);
  check_mistake("[[peers]]\naddress = \"10.0.0.1\"", "f:1:1: a peer is not a text" + peers);
  check_mistake("[defaults]\nslots = 256",
                "f:2:1: unknown key 'slots' in [defaults]; known are forward");
  check_mistake("[defaults]\nepoch = 0", "f:2:9: epoch is not a number from 1 to 14400");
  check_mistake("[[interface]]\nmode = \"skb\"", "f:1:1: an interface has no name");
  check_mistake("[[interface]]\nname = \"a\"\n[[interface]]\nname = \"a\"",
                "f:3:1: interface a is there twice; line 1 has it already");
  check_mistake("[[interface]]\nname = \"a\"\nmode = \"fast\"",
                "f:3:8: mode 'fast' is neither native nor skb");
  check_mistake("[[service]]", "f:1:1: a service has no address");
  check_mistake("[[service]]\naddress = \"x\"", "f:2:11: ");
  check_mistake(
      service + "foward = \"l2\"",
      "f:3:1: unknown key 'foward' in service 192.0.2.10:80/tcp; did you mean 'forward'?");
  check_mistake(service + "quux = 1",
                "f:3:1: unknown key 'quux' in service 192.0.2.10:80/tcp; known");
  check_mistake("[[interface]]\nname = \"a\"\nactions = \"XDP_PASS,XDP_PAS\"",
                "f:3:11: 'XDP_PAS' is no XDP action; give some of XDP_ABORTED,");
  check_mistake(service + "forward = \"l3\"", "f:3:11: forward 'l3' is neither l2, ipip");
  check_mistake("peers = [\"02:00:00:00:00:01\", \"02:00:00:00:00:01\"]",
                "f:1:31: peer 02:00:00:00:00:01 is there twice");
  std::string many;
  for (int i = 0; i < 65; i++) many += "'10.0.0." + std::to_string(i) + "', ";
  check_mistake("peers = [" + many + "'2001:db8::1']",
                "f:1:9: 65 IPv4 addresses of peers are more than 64");
  check_mistake("peers = [\"224.0.0.1\"]", "f:1:10: peer '224.0.0.1' is no unicast address");
  check_mistake("peers = [\"::5\"]", "f:1:10: peer '::5' is in ::/64");
  for (const std::string name : {"", "a/b", "a b", "..", "sixteenletters16"})
    check_mistake("[[interface]]\nname = \"" + name + "\"",
                  "f:2:8: '" + name + "' can't be an interface's name");
  check_mistake(service + "ping = 1", "f:3:8: ping is neither true nor false");
  check_mistake(service + "affinity = 33", "f:1:1: affinity 33 of service 192.0.2.10:80/tcp has");
  check_mistake(service + "slots = 1000", "f:1:1: 1000 slots: not a power of two");
  check_mistake(service + "forward = \"fullnat\"",
                "f:1:1: service 192.0.2.10:80/tcp has no source");
  check_mistake(service + service, "f:3:1: service 192.0.2.10:80/tcp is there twice");
  const std::string backends = "write [[service.backend]] for each, or [\"ADDRESS\", ...]";
  check_mistake(service + "backend = \"10.0.0.1\"", "f:3:11: backend is not an array; " + backends);
  check_mistake(service + "[service.backend]\naddress = \"10.0.0.1\"",
                "f:3:1: backend is not an array; " + backends);
  check_mistake(service + "backend = [5]",
                "f:3:12: backend is not a table; write its keys below [[service.backend]], or its "
                "address in double quotes");
  check_mistake(service + "backend = [\"10.0.0.1\", \"10.0.0.1:80\"]",
                "f:3:24: backend 10.0.0.1 of service 192.0.2.10:80/tcp is there twice");
  check_mistake(service + "backend = [\"192.0.2.10\"]", "f:3:12: backend 192.0.2.10 has the VIP");
  check_mistake(service + "backend = [{ weight = 3 }]", "f:3:12: a backend has no address");
  check_mistake(service + "backend = [{ address = \"10.0.0.1\", weight = 0 }]",
                "f:3:45: weight is not a number from 1 to 65535");
  check_mistake(service + "backend = [{ address = \"10.0.0.1\", state = \"leaving\" }]",
                "f:3:44: state 'leaving' is neither up, drain nor down");
  check_mistake(service + "backend = [\"10.0.0.1:81\"]", "f:3:12: backend 10.0.0.1:81 of service");
  const std::string second = "second-chance = true\n";
  check_mistake(
      service + second + "forward = \"nat\"\nbackend = [\"10.0.0.1\"]",
      "f:1:1: service 192.0.2.10:80/tcp has second chances, which mode nat can't give; set");
  check_mistake(service + second + "forward = \"fullnat\"\npool = \"10.0.0.9\"\n",
                "f:1:1: service 192.0.2.10:80/tcp has second chances, which mode fullnat can't");
  check_mistake(service + second + "backend = [{ address = \"10.0.0.1\", forward = \"nat\" }]",
                "f:4:12: service 192.0.2.10:80/tcp has second chances, which mode nat can't give");
  const std::string nat = "forward = \"nat\"\nbackend = [\"10.0.0.1\"]\n";
  check_mistake(service + nat + other + nat,
                "f:8:12: backend 10.0.0.1 is one of service 192.0.2.10:80/tcp already");
  const std::string hash3 = "fragments = \"hash3\"\n" + nat;
  const std::string its_port = "[[service]]\naddress = \"192.0.2.11:80/tcp\"\nforward = \"nat\"\n";
  check_mistake(
      service + hash3 + its_port + "fragments = \"hash3\"\nbackend = [\"10.0.0.1:81\"]",
      "f:10:12: backend 10.0.0.1:81 is one of service 192.0.2.10:80/tcp already, and mode "
      "nat can't tell whose fragments its are");
  BOOST_TEST(lines_of(service + hash3 + its_port + "backend = [\"10.0.0.1:81\"]").empty());
  const std::string pool = "pool = \"192.0.2.10-192.0.2.12\"\n";
  check_mistake(other + "pool = \"192.0.2.10\"\n" + service,
                "f:1:1: pool 192.0.2.10 has the VIP of");
  check_mistake(service + pool, "f:1:1: pool 192.0.2.10-192.0.2.12 has the service's own VIP");
  const std::string fragments = "fragments = \"hash3\"\n";
  check_mistake(service + fragments + "[[service]]\naddress = \"192.0.2.10:81/tcp\"\n" + fragments,
                "f:1:1: service 192.0.2.10:81/tcp has the VIP's fragments already");
}

BOOST_AUTO_TEST_CASE(all_mistakes_at_once_in_their_order) {
  const auto mistakes =
      lines_of(service + "foward = \"l2\"\nepoch = 0\nbackend = [\"10.0.0.1.1\", 3]\narena = 1\n" +
               "[defaults]\nstate = 2\n");
  BOOST_TEST(mistakes.size() == 6U);
  const std::vector<std::string> starts{"f:3:", "f:4:", "f:5:12:", "f:5:26:", "f:6:", "f:8:"};
  for (std::size_t i = 0; i < std::min(mistakes.size(), starts.size()); i++)
    BOOST_TEST(mistakes[i].starts_with(starts[i]), mistakes[i]);
}

// What is wrong in a value and what is wrong as a whole; nothing is told twice.
BOOST_AUTO_TEST_CASE(mistakes_of_all_kinds_at_once) {
  const std::string twice = "[[interface]]\nname = \"a\"\n[[interface]]\nname = \"a\"\n";
  const auto mistakes = lines_of("arena = 1\n" + twice + service + "epoch = 0\n" + other +
                                 "backend = [\"192.0.2.11\"]\n");
  BOOST_TEST_REQUIRE(mistakes.size() == 4U);
  const std::vector<std::string> starts{"f:1:9:", "f:4:1:", "f:8:9:", "f:11:12:"};
  for (std::size_t i = 0; i < starts.size(); i++)
    BOOST_TEST(mistakes[i].starts_with(starts[i]), mistakes[i]);
  // Without these defaults the backend's port would be a mistake.
  check_mistake("[defaults]\nforward = \"na\"\n" + service + "backend = [\"10.0.0.1:81\"]",
                "f:2:11: forward 'na'");
  check_mistake("[[interface]]\nname = 1\n[[interface]]\nname = \"a\"", "f:2:8: name is not");
}

// As the remedies have it, there is no mistake.
BOOST_AUTO_TEST_CASE(remedies_can_be_followed) {
  for (const std::string text :
       {"peers = [\"02:00:00:00:00:01\", \"192.0.2.1\"]", "[[interface]]\nname = \"a\""})
    BOOST_TEST(lines_of(text).empty(), text);
  BOOST_TEST(lines_of(service + "backend = [\"10.0.0.1\"]").empty());
  BOOST_TEST(lines_of(service + "[[service.backend]]\naddress = \"10.0.0.1\"").empty());
}

// A mistake hides no other one, wherever it is.
BOOST_AUTO_TEST_CASE(a_mistake_hides_none) {
  const std::string port_0 = "[[service]]\naddress = \"192.0.2.12:0/tcp\"\nforward = \"nat\"\n";
  const std::string rest = service + "slots = 300\nbackend = [\"10.0.0.1\", \"10.0.0.1\", " +
                           "\"192.0.2.10\"]\n" + service + port_0;
  const std::vector<std::string> wanted{
      "f:3:1: 300 slots", "f:6:24: backend 10.0.0.1 of service 192.0.2.10:80/tcp is",
      "f:6:36: backend 192.0.2.10 has the VIP", "f:7:1: service 192.0.2.10:80/tcp is there twice",
      "f:9:1: service 192.0.2.12:0/tcp takes every port"};
  check_mistakes("[defaults]\nepoch = 9\n" + rest, wanted);
  auto all = wanted;
  all.insert(all.begin(), "f:2:1: unknown key 'epoc' in [defaults]");
  check_mistakes("[defaults]\nepoc = 9\n" + rest, all);
  all[0] = "f:1:12: defaults is not a table";  // and may have said any mode
  check_mistakes("defaults = 3\n\n" + rest, all);
  check_mistakes(service + "epoc = 9\nbackend = [\"10.0.0.1\", \"10.0.0.1\", 5]\n" + service,
                 {"f:3:1: unknown key 'epoc'", "f:4:24: backend 10.0.0.1 of", "f:4:36: backend is",
                  "f:5:1: service 192.0.2.10:80/tcp is there twice"});
  check_mistakes("[[service]]\nbackend = [\"10.0.0.1\", \"10.0.0.1\"]\nslots = 300\n",
                 {"f:1:1: a service has no address", "f:1:1: 300 slots",
                  "f:2:24: backend 10.0.0.1 is there twice"});
  check_mistakes("[[interface]]\nname = \"a\"\nmod = 1\n[[interface]]\nname = \"a\"\n",
                 {"f:3:1: unknown key 'mod'", "f:4:1: interface a is there twice"});
  check_mistakes("arena = \"64K\"\n[defaults]\nepoc = 9\n" + service,
                 {"f:3:1: unknown key 'epoc'", "f:4:1: service 192.0.2.10:80/tcp needs"});
  check_mistakes("[[service]]\naddress = \"192.0.2.10:0/tcp\"\naffinity = 99\nforward = \"nat\"\n",
                 {"f:1:1: affinity 99", "f:1:1: service 192.0.2.10:0/tcp takes every port"});
}

// What may be gone with a mistake isn't told beside it.
BOOST_AUTO_TEST_CASE(a_mistake_brings_no_other) {
  const std::string ports = "backend = [\"10.0.0.1:81\"]\n";
  check_mistake(service + "forward = \"na\"\n" + ports, "f:3:11: forward 'na'");
  check_mistake(service + "forwrd = \"nat\"\n" + ports, "f:3:1: unknown key 'forwrd'");
  check_mistake(service + "mode = \"nat\"\n" + ports, "f:3:1: unknown key 'mode'");
  check_mistake("[defaults]\nmode = \"nat\"\n" + service + ports, "f:2:1: unknown key 'mode'");
  check_mistake("[defaults]\nmode = \"l2\"\n" + service + "forward = \"nat\"\n" + ports,
                "f:2:1: unknown key 'mode'");
  check_mistake(service + "backend = [{ address = \"10.0.0.1:81\", forward = \"na\" }]\n",
                "f:3:49: forward 'na'");
  check_mistake(service + "forward = \"fullnat\"\npol = \"10.0.0.9\"\n",
                "f:4:1: unknown key 'pol'");
  check_mistake(
      "[defaults]\nsecond-chance = true\n" + service + "forward = \"nat\"\nsecond-chance = 0\n",
      "f:6:17: second-chance is neither");
  check_mistake("[defaults]\npool = \"192.0.2.11\"\n" + service + "pool = 1\n" + other +
                    "pool = \"10.0.0.9\"\n",
                "f:5:8: pool is not a text");
  check_mistake("arena = \"64K\"\n" + service + "slots = \"256\"\n", "f:4:9: slots is not");
  check_mistake("[[service]]\naddress = \"x\"\nbackend = [\"10.0.0.1:81\"]\n" + other, "f:2:11: ");
  // Once for the service, not for each backend that has its mode.
  check_mistakes(
      "[[service]]\naddress = \"192.0.2.10:0/tcp\"\nforward = \"nat\"\n"
      "backend = [\"10.0.0.1\", { address = \"10.0.0.2\", forward = \"nat\" }]\n",
      {"f:1:1: service 192.0.2.10:0/tcp takes every port", "f:4:24: service 192.0.2.10"});
}

BOOST_AUTO_TEST_CASE(more_than_there_is_room_for) {
  const auto services = [](int count, const std::string& rest) {
    std::string text;
    for (int i = 0; i < count; i++)
      text += "[[service]]\naddress = \"198.18." + std::to_string(i / 250) + "." +
              std::to_string(1 + i % 250) + ":80/tcp\"\n" + rest;
    return text;
  };
  BOOST_TEST(lines_of(services(LB_SERVICES, "")).empty());
  check_mistake(services(LB_SERVICES + 1, ""), "f:8193:1: more than 4096 services");
  check_mistake("arena = \"64K\"\n" + services(1, ""), "f:2:1: service 198.18.0.1:80/tcp needs 16");
  check_mistake("arena = \"64K\"\n" + services(40, "slots = 256\n"), "f:");
  BOOST_TEST(lines_of("arena = \"64K\"\n" + services(10, "slots = 256\n")).empty());
  std::string backends;
  for (unsigned i = 0; i <= max_table_backends; i++)
    backends += "\"10." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." +
                std::to_string(i & 255) + "\",\n";
  check_mistake(service + "backend = [" + backends + "]", "f:65537:1: more than 65534 backends");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
