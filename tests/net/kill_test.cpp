// SPDX-License-Identifier: GPL-2.0-only
// xdp-lb is killed in the middle of a change: at each of its system calls in turn, and at any
// moment in between. Traffic goes on, and the next command finishes what was begun.
#include <sys/syscall.h>

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <thread>

#include "plugin/error.h"
#include "tests/net/fixture.h"
#include "tests/net/stopped.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

// Kills it before its nth system call with the lock. False if it ended before.
bool kill_at_call(const Host& host, const Words& command, int nth) {
  bool locked = false;
  int calls = 0;
  const auto is_it = [&](long call) {
    const bool found = locked && calls++ == nth;
    locked |= call == SYS_flock;
    return found;
  };
  return run_stopped(host, command, is_it, Then::kill) == 128 + SIGKILL;
}

void kill_after(const Host& host, const Words& command, std::chrono::nanoseconds delay) {
  const pid_t process = launch(host, command);
  std::this_thread::sleep_for(delay);
  ::kill(process, SIGKILL);
  await(process);
}

// A change that is begun again and again, from the same state.
struct Change {
  std::string name;
  std::string line;  // for service 192.0.2.10:80/tcp
  std::vector<Member> before, after;
};

std::ostream& operator<<(std::ostream& out, const Change& change) { return out << change.name; }

const std::string service_id = vip(10) + ":80/tcp";

std::vector<Change> all_changes() {
  return {{"add",
           "backend add " + service_id + " 10.2.0.23 --weight 2",
           {web(1), web(2)},
           {web(1), web(2), web(3, 2)}},
          {"set",
           "backend set " + service_id + " 10.2.0.22 --weight 9",
           {web(1), web(2)},
           {web(1), web(2, 9)}},
          {"del",
           "backend del " + service_id + " 10.2.0.23",
           {web(1), web(2), web(3, 2)},
           {web(1), web(2)}}};
}

class Victim {
 public:
  Victim(Balanced& balanced, const Change& change)
      : site_(balanced.site),
        loader_(balanced.loader),
        change_(change),
        service_(loader_, service_id, "--slots 4096"),
        other_(loader_, vip(11) + ":80/tcp", "--slots 4096") {
    for (const auto& member : change_.before) service_.add(member);
    other_.add({1, 2, 3});
  }

  [[nodiscard]] Words command() const { return loader_.command(change_.line); }

  // After a death: packets go on, and the next command, for another service, finishes the change
  // or takes no notice.
  void check() {
    check_either();
    loader_.require("backend set " + other_.id() + " 10.2.0.21 --weight 1");
    const bool done = is_done();
    service_.believe(done ? change_.after : change_.before);
    check_connections(site_, service_, flows_, 20);
    check_connections(site_, other_, flows_, 20);
    (done ? finished_ : untouched_)++;
    if (done) go_back();
  }

  [[nodiscard]] int finished() const { return finished_; }
  [[nodiscard]] int untouched() const { return untouched_; }

 private:
  [[nodiscard]] bool is_done() const {
    std::map<std::string, unsigned> listed;
    for (const auto& backend : loader_.json("backend list " + service_id))
      if (backend.at("state") != "leaving") listed[backend.at("backend")] = backend.at("weight");
    std::map<std::string, unsigned> wanted;
    for (const auto& member : change_.after) wanted[member.address] = member.weight;
    return listed == wanted;
  }

  // The table may be the old one, the new one, or half of each.
  void check_either() {
    const Inside here(site_.client);
    for (int i = 0; i < 20; ++i) {
      const auto from = flows_.next();
      service_.believe(change_.before);
      const auto old = service_.expected(from, 80);
      service_.believe(change_.after);
      const auto got = split(http_get(from, service_.endpoint()).body).at(0);
      BOOST_TEST((got == old || got == service_.expected(from, 80)));
    }
  }

  void go_back() {
    service_.believe(change_.after);
    if (change_.name == "add") service_.remove("web3");
    if (change_.name == "set") service_.set_weight("web2", 1);
    if (change_.name == "del") service_.add(web(3, 2));
  }

  Site& site_;
  Loader& loader_;
  Change change_;
  TestService service_, other_;
  Flows flows_{true};
  int finished_ = 0;
  int untouched_ = 0;
};

BOOST_AUTO_TEST_SUITE(killed)

BOOST_DATA_TEST_CASE(at_each_system_call, data::make(all_changes()), change) {
  Balanced balanced("native");
  Victim victim(balanced, change);
  const int stride = counts(11, 1);
  int nth = 0;
  for (; kill_at_call(balanced.site.balancer, victim.command(), nth); nth += stride)
    BOOST_TEST_CONTEXT("killed at call " << nth) { victim.check(); }
  BOOST_TEST_MESSAGE(change.name << ": " << nth << " calls, " << victim.finished()
                                 << " deaths left the change done");
  BOOST_TEST(nth > 20);
  BOOST_TEST(victim.finished() > 0);
  BOOST_TEST(victim.untouched() > 0);
}

BOOST_DATA_TEST_CASE(at_any_moment, data::make(all_changes()), change) {
  Balanced balanced("native");
  Victim victim(balanced, change);
  const auto start = std::chrono::steady_clock::now();
  balanced.loader.require("backend set " + service_id + " 10.2.0.21 --weight 1");
  const auto usual = std::chrono::steady_clock::now() - start;
  const int deaths = counts(5, 200);
  for (int i = 0; i < deaths; ++i) {
    const auto delay = usual * i / deaths;
    kill_after(balanced.site.balancer, victim.command(), delay);
    BOOST_TEST_CONTEXT("killed after " << delay.count() << " ns") { victim.check(); }
  }
  BOOST_TEST_MESSAGE(change.name << ": " << victim.finished() << " of " << deaths
                                 << " deaths left the change done");
}

// The first load, which makes the maps, and one more; whatever a death leaves can be put right by
// unloading, and loading again.
BOOST_DATA_TEST_CASE(while_loading, data::make(Words{"eth0", "eth1"}), ifname) {
  Balanced balanced("native");
  auto& [site, loader] = balanced;
  const auto line = loader.load("eth1", "native");
  const auto again = line.substr(0, 5) + ifname + line.substr(9);
  const auto start_over = [&] {
    loader.require("unload --all");
    if (ifname == "eth1") loader.load("eth0", "native");
  };
  start_over();
  int deaths = 0;
  for (int nth = 0; kill_at_call(site.balancer, loader.command(again), nth);
       nth += counts(140, 7), ++deaths) {
    BOOST_TEST_CONTEXT("killed at call " << nth) {
      const auto next = loader.run(again);
      const bool was_loaded =
          next.err.find("is loaded on " + ifname + " already") != std::string::npos;
      BOOST_TEST((next.status == 0 || was_loaded), next.err);
      BOOST_TEST(loader.run("status --check eth0").status == 0);
      TestService service(loader, service_id);
      service.add({1, 2, 4});
      Flows flows(true);
      check_connections(site, service, flows, 20);
      start_over();
    }
  }
  BOOST_TEST(deaths > 5);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
