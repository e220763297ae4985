// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/fixture.h"

#include <bpf/bpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>

#include "bpf/abi.h"
#include "plugin/error.h"
#include "tests/support/bpf_fixture.h"
#include "tests/support/flow_model.h"

namespace xdplb::test {

const std::string with_object = " --object " XDP_LB_OBJECT;

std::string key_file() {
  const std::string name = "/run/cluster-key";
  std::mt19937_64 random(test_seed());
  std::ofstream file(name);
  for (int i = 0; i < 32; ++i) file << "0123456789abcdef"[random() % 16];
  return name;
}

namespace {

constexpr int exit_unsupported = 4;
constexpr int shown_failures = 5;

void say_alone(const std::string& reason) {
  static bool said = false;
  if (!said) std::cout << "The component runs alone in these tests, not in a chain.\n" << reason;
  said = true;
}

std::string slashed(const Endpoint& from) {
  return from.address.to_string() + " " + std::to_string(from.port);
}

}  // namespace

Words Loader::command(const std::string& line) const {
  auto words = split(line);
  words.insert(words.begin(), XDP_LB_LOADER);
  return words;
}

Outcome Loader::run(const std::string& line) const { return host_.run(command(line)); }

std::string Loader::require(const std::string& line) const { return host_.require(command(line)); }

nlohmann::json Loader::json(const std::string& line) const {
  return nlohmann::json::parse(require(line + " --json"));
}

std::string Loader::load(const std::string& ifnames, const std::string& mode) const {
  const auto line =
      "load " + ifnames + " --mode " + mode + with_object + " --key-file " + key_file();
  const auto chained = run(line);
  if (chained.status == 0) return line;
  BOOST_REQUIRE_MESSAGE(chained.status == exit_unsupported, chained.err);
  say_alone(chained.err);
  require(line + " --single-ok");
  return line + " --single-ok";
}

std::uint64_t Loader::reason(const std::string& name, const std::string& family) const {
  const auto reasons = json("stats").at("reasons").at(family);
  return reasons.contains(name) ? reasons.at(name).at("packets").get<std::uint64_t>() : 0;
}

std::uint64_t Loader::forwarded(const std::string& service) const {
  const auto rows = json("stats").at("services");
  for (const auto& row : rows)
    if (row.at("service") == service && row.at("what") == "forwarded") return row.at("packets");
  throw std::runtime_error("stats don't have " + service);
}

std::uint64_t Loader::dropped() const {
  const auto all = json("stats");
  std::uint64_t sum = 0;
  for (const auto& family : all.at("reasons"))
    for (const auto* name : {"malformed", "fragment", "ttl-expired", "no-backend", "no-neighbour",
                             "no-route", "off-link", "forwarding-off", "vlan-mismatch", "internal",
                             "no-source", "too-big", "no-egress", "foreign", "no-port", "no-flow"})
      if (family.contains(name)) sum += family.at(name).at("packets").get<std::uint64_t>();
  return sum;
}

Balanced::Balanced(const std::string& mode, const std::string& ifnames, unsigned mtu)
    : site({.native = mode == "native", .mtu = mtu}), loader(site.balancer) {
  site.serve_http();
  loader.load(ifnames, mode);
}

Member web(int number, unsigned weight, bool v4) {
  const auto n = std::to_string(number);
  const auto* net = number <= 3 ? (v4 ? "10.2.0.2" : "fd00:2::2") : (v4 ? "10.4.0.2" : "fd00:4::2");
  return {"web" + n, net + n, weight};
}

Member web_at(int number, std::uint16_t port, bool v4) {
  auto member = web(number, 1, v4);
  const BackendId id{Address::parse(member.address), port};
  member.address = id.to_string();
  return member;
}

std::string vip(int number, bool v4) {
  const auto n = std::to_string(number);
  return v4 ? "192.0.2." + n : "[2001:db8:ffff::" + n + "]";
}

TestService::TestService(const Loader& loader, const std::string& id, const std::string& options)
    : loader_(loader), id_(id), parsed_(ServiceId::parse(id)) {
  loader_.require("service add " + id + " " + options);
  const auto words = split(options);
  const auto value = [&](const std::string& option, const std::string& otherwise) {
    const auto found = std::ranges::find(words, option);
    return found == words.end() ? otherwise : *(found + 1);
  };
  const auto balance = value("--balance", "slack");
  spec_.balance = balance == "off"     ? Balance::off
                  : balance == "exact" ? Balance::exact
                                       : Balance::slack;
  spec_.k = static_cast<unsigned>(std::countr_zero(std::stoul(value("--slots", "16384"))));
  keys_ = derive_flow_keys(pinned_cluster_key(), parsed_.vip.bytes(), parsed_.port,
                           static_cast<std::uint8_t>(parsed_.protocol));
  spec_.seed = keys_.table_seed;
  if (const auto pool = value("--pool", ""); !pool.empty()) pool_ = Pool::parse(pool);
  believe({});
}

void TestService::believe(const std::vector<Member>& members) {
  members_ = members;
  spec_.backends.clear();
  for (const auto& member : members) {
    const auto id = BackendId::parse(member.address);
    spec_.backends.push_back(
        {id.address.bytes(), id.port, member.weight, member.drain, !member.down});
  }
  table_ = build_table(spec_);
}

void TestService::add(const Member& member) {
  loader_.require("backend add " + id_ + " " + member.address + " --weight " +
                  std::to_string(member.drain ? 0 : member.weight));
  members_.push_back(member);
  believe(std::vector(members_));
}

void TestService::add(std::initializer_list<int> numbers) {
  for (const int number : numbers) add(web(number, 1, is_v4()));
}

Member& TestService::member(const std::string& name) {
  return *std::ranges::find(members_, name, &Member::name);
}

void TestService::set_weight(const std::string& name, unsigned weight) {
  auto& changed = member(name);
  loader_.require("backend set " + id_ + " " + changed.address + " --weight " +
                  std::to_string(weight));
  changed.drain = weight == 0;
  if (weight != 0) changed.weight = weight;
  believe(std::vector(members_));
}

void TestService::drain(const std::string& name) {
  loader_.require("backend drain " + id_ + " " + member(name).address);
  member(name).drain = true;
  believe(std::vector(members_));
}

void TestService::down(const std::string& name) {
  loader_.require("backend down " + id_ + " " + member(name).address);
  member(name).down = true;
  believe(std::vector(members_));
}

void TestService::up(const std::string& name) {
  loader_.require("backend up " + id_ + " " + member(name).address);
  member(name).drain = member(name).down = false;
  believe(std::vector(members_));
}

void TestService::remove(const std::string& name, const std::string& options) {
  loader_.require("backend del " + id_ + " " + member(name).address + " " + options);
  std::erase_if(members_, [&](const auto& one) { return one.name == name; });
  believe(std::vector(members_));
}

Endpoint TestService::endpoint(std::uint16_t any_port) const {
  return {parsed_.vip, parsed_.port == 0 ? any_port : parsed_.port};
}

const std::string& TestService::expected(const Endpoint& client, std::uint16_t port) const {
  static const std::string nobody;
  const auto& bytes = client.address.bytes();
  const auto hash =
      client.address.is_v4()
          ? km3_v4(keys_, {bytes[12], bytes[13], bytes[14], bytes[15]}, client.port, port)
          : km3_v6(keys_, bytes, client.port, port);
  const auto choice = table_.first[km3_slot(hash, spec_.k)];
  return choice == no_backend ? nobody : members_[choice].name;
}

bool TestService::is_answer(const std::string& said, const Endpoint& client,
                            std::uint16_t port) const {
  const auto wanted = expected(client, port) + " ";
  if (pool_.count == 0) return said == wanted + slashed(client);
  const auto words = split(said);
  return words.size() == 3 && said.starts_with(wanted) && pool_.contains(Address::parse(words[1]));
}

ClusterKey pinned_cluster_key() {
  const Fd map(::bpf_obj_get((std::string(pin_path) + "/lb_meta").c_str()));
  lb_meta meta{};
  const std::uint32_t zero = 0;
  if (!map || ::bpf_map_lookup_elem(map.get(), &zero, &meta) != 0)
    throw SystemError(errno, "reading the pinned lb_meta");
  return std::to_array(meta.cluster_key);
}

Endpoint Flows::next() {
  const auto number = std::to_string(address_);
  const auto flow = test::endpoint((v4_ ? "10.1.0." : "fd00:1::") + number, port_);
  if (++address_ == 6) {
    address_ = 2;
    port_ = static_cast<std::uint16_t>(port_ + 7);
  }
  return flow;
}

int counts(int reduced, int full) { return full_counts() ? full : reduced; }

Answers check_connections(const Site& site, const TestService& service, Flows& flows, int count,
                          std::uint16_t port) {
  Answers answers;
  std::ostringstream wrong;
  int failures = 0;
  const Inside here(site.client);
  for (int i = 0; i < count && failures < shown_failures; ++i) {
    const auto from = flows.next();
    std::string got;
    try {
      got = http_get(from, service.endpoint(port)).body;
    } catch (const std::exception& failure) {
      got = failure.what();
    }
    answers[got.substr(0, got.find(' '))]++;
    if (!service.is_answer(got, from, port) && ++failures > 0)
      wrong << "\n  '" << got << "', not " << service.expected(from, port) << " of "
            << slashed(from);
  }
  BOOST_TEST(failures == 0, service.id()
                                << ": " << failures << " connections went wrong:" << wrong.str());
  return answers;
}

void knock(const Site& site, const TestService& service, Flows& flows) {
  const Inside here(site.client);
  const auto socket = bound_socket(flows.next(), SOCK_STREAM | SOCK_NONBLOCK);
  BOOST_CHECK_THROW(connect_socket(socket, service.endpoint()), SystemError);
}

}  // namespace xdplb::test
