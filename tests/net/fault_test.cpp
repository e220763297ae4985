// SPDX-License-Identifier: GPL-2.0-only
// A command is killed at each system call that changes something outside of it, and each of its
// bpf() calls fails in turn. Services that it has nothing to do with go on, and the same command
// completes what was begun. Stores into maps have tests of their own: killed, and bpf's crash.
#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <functional>

#include "tests/net/cli_fixture.h"
#include "tests/net/injected.h"
#include "tests/support/other_object.h"

namespace xdplb::test {
namespace {

namespace data = boost::unit_test::data;

struct Deed {
  std::string line, back;      // what is done, and what undoes it
  std::function<bool()> done;  // is it?
};

// At each call each error in turn, or at some calls one of them.
void each_error(int calls, const std::function<void(int nth, const std::string& error)>& action) {
  const Words errors{"ENOMEM", "EPERM", "ENOSPC"};
  for (int i = 0; i < calls; i += counts(401, 1))
    for (int j = 0; j < counts(1, 3); ++j)
      action(i + 1, errors[static_cast<std::size_t>(i + j) % errors.size()]);
}

class Stage {
 public:
  Stage() {
    for (const int number : {1, 2, 3}) other_.add({number});
    for (const int number : {1, 2}) service_.add({number});
  }

  Deed load() const {
    const auto line = balanced_.loader.load("eth1", "native");
    return {line, "unload eth1", [this] { return runs("status --check eth1", 0); }};
  }

  Deed unload() const {
    const auto line = balanced_.loader.load("eth1", "native");
    return {"unload eth1", line, [this] { return runs("status --check eth1", 3); }};
  }

  Deed upgrade() const {
    const auto file = write_other_object(XDP_LB_OBJECT, "/run/other.bpf.o");
    const auto old_tag = tag();
    return {"upgrade eth0 --object " + file, "upgrade eth0" + with_object,
            [this, old_tag] { return tag() != old_tag; }};
  }

  Deed apply() {
    save("/run/first.toml");
    service_.add({3});
    service_.set_weight("web1", 7);
    balanced_.loader.require("service add " + vip(10) + ":8080/tcp --slots 256");
    save("/run/second.toml");
    return {"apply /run/second.toml --single-ok" + with_object,
            "apply /run/first.toml --single-ok" + with_object,
            [this] { return runs("plan /run/second.toml", 0); }};
  }

  // Loads on one interface, and unloads from another.
  Deed apply_interfaces() {
    balanced_.site.balancer.ip("link add name eth8 type veth peer name eth9\nlink set eth8 up");
    save("/run/first.toml");
    save("/run/second.toml");
    std::ofstream("/run/first.toml", std::ios::app) << "[[interface]]\nname = \"eth1\"\n";
    std::ofstream("/run/second.toml", std::ios::app) << "[[interface]]\nname = \"eth8\"\n";
    return {"apply /run/second.toml --single-ok" + with_object,
            "apply /run/first.toml --single-ok" + with_object,
            [this] { return runs("plan /run/second.toml", 0); }};
  }

  void kill(const Deed& deed, const std::string& call) {
    run_back(deed);
    const auto calls = calls_of(balanced_.site.balancer, call, deed.line);
    int changes = 0;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (!changes_something(calls[i]) || changes++ % counts(151, 1) != 0) continue;
      const auto hit = inject(deed, call, "signal=KILL", i + 1);
      BOOST_TEST((hit.status == 128 + SIGKILL || hit.status == 0), hit.err);
    }
  }

  void fail(const Deed& deed) {
    run_back(deed);
    const auto calls = count_calls(balanced_.site.balancer, "bpf", deed.line);
    each_error(calls, [&](int nth, const std::string& error) {
      const auto hit = inject(deed, "bpf", "error=" + error, static_cast<std::size_t>(nth));
      check_words(hit);
      BOOST_TEST(hit.status <= 4);
    });
  }

  [[nodiscard]] int hits() const { return hits_; }

 private:
  Outcome inject(const Deed& deed, const std::string& call, const std::string& what,
                 std::size_t nth) {
    BOOST_TEST_INFO_SCOPE(deed.line << ": " << what << " at " << call << " " << nth);
    run_back(deed);
    auto hit = run_injected(balanced_.site.balancer, call, what, static_cast<int>(nth), deed.line);
    BOOST_TEST((hit.status != 0 || deed.done()), "it says that it is done");
    check_connections(balanced_.site, other_, flows_, 3);
    const auto again = balanced_.loader.run(deed.line);
    const bool said = again.err.find("already") != std::string::npos ||
                      again.err.find("not loaded on eth1") != std::string::npos;
    BOOST_TEST((again.status == 0 || said), again.err);
    BOOST_TEST(deed.done());
    hits_ += hit.status != 0 ? 1 : 0;
    return hit;
  }

  [[nodiscard]] bool runs(const std::string& line, int status) const {
    return balanced_.loader.run(line).status == status;
  }

  [[nodiscard]] std::string tag() const {
    const auto place = balanced_.loader.json("status eth0").at("interfaces").at(0);
    const bool chained = place.at("chained");
    return (chained ? place.at("components").at(0) : place.at("main")).at("tag");
  }

  void save(const std::string& name) const {
    std::ofstream(name) << balanced_.loader.require("save");
  }

  void run_back(const Deed& deed) const {
    if (!deed.done()) return;
    balanced_.loader.require(deed.back);
    BOOST_TEST_REQUIRE(!deed.done());
  }

  Balanced balanced_{"native"};
  TestService service_{balanced_.loader, vip(10) + ":80/tcp", "--slots 4096"};
  TestService other_{balanced_.loader, vip(11) + ":80/tcp", "--slots 4096"};
  Flows flows_{true};
  int hits_ = 0;
};

BOOST_AUTO_TEST_SUITE(faults, *boost::unit_test::precondition(has_strace))

BOOST_DATA_TEST_CASE(at_each_call,
                     data::make(Words{"load", "unload", "upgrade", "apply", "apply_interfaces"}),
                     name) {
  Stage stage;
  const auto deed = name == "load"      ? stage.load()
                    : name == "unload"  ? stage.unload()
                    : name == "upgrade" ? stage.upgrade()
                    : name == "apply"   ? stage.apply()
                                        : stage.apply_interfaces();
  // What is new of interfaces, where there is little time, are these.
  const bool few = name == "apply_interfaces" && counts(0, 1) == 0;
  for (const auto& call :
       few ? Words{"bpf", "sendto"}
           : Words{"bpf", "sendto", "mkdir", "unlink", "rmdir", "chmod", "flock"})
    stage.kill(deed, call);
  stage.fail(deed);
  BOOST_TEST(stage.hits() > 0);
}

// From nothing: the maps, the interface, the key and the services.
BOOST_AUTO_TEST_CASE(a_first_apply) {
  Machine machine;
  const std::string key = "cluster-key = \"" + std::string(32, '7') + "\"";
  std::ofstream("/run/site.toml")
      << key << "\n[[interface]]\nname = \"eth0\"\n[[service]]\naddress = \"192.0.2.10:80/tcp\"\n"
      << "slots = 256\nbackend = [\"10.0.0.2\", \"10.0.0.3\"]\n";
  const std::string line = "apply /run/site.toml --single-ok" + with_object;
  int hits = 0;
  const auto inject = [&](const std::string& call, const std::string& what, int nth) {
    BOOST_TEST_INFO_SCOPE(what << " at " << call << " " << nth);
    const auto hit = run_injected(machine.host, call, what, nth, line);
    BOOST_TEST((hit.status == 128 + SIGKILL || hit.status <= 4), hit.err);
    check_words(hit);
    const auto again = machine.loader.run(line);
    BOOST_TEST(again.status == 0, again.err);
    BOOST_TEST(machine.loader.run("plan /run/site.toml").status == 0);
    BOOST_TEST(machine.loader.require("save --full").find(key) != std::string::npos);
    machine.loader.require("unload --all");
    hits += hit.status != 0 ? 1 : 0;
  };
  int calls_of_bpf = 0;
  for (const std::string call : {"bpf", "sendto", "chmod"}) {
    const auto calls = calls_of(machine.host, call, line);
    machine.loader.require("unload --all");
    if (call == "bpf") calls_of_bpf = static_cast<int>(calls.size());
    int changes = 0;
    for (std::size_t i = 0; i < calls.size(); ++i)
      if (changes_something(calls[i]) && changes++ % counts(61, 1) == 0)
        inject(call, "signal=KILL", static_cast<int>(i + 1));
  }
  each_error(calls_of_bpf,
             [&](int nth, const auto& error) { inject("bpf", "error=" + error, nth); });
  BOOST_TEST(hits > 0);
}

// What can't be looked at isn't called unloaded, or not there.
BOOST_DATA_TEST_CASE(what_says_that_nothing_runs_has_looked,
                     data::make(Words{"unload --all --keep-maps", "upgrade -o " XDP_LB_OBJECT}),
                     line) {
  Machine machine;
  machine.load();
  const int calls = count_calls(machine.host, "bpf", line);
  int failed = 0;
  for (int nth = 1; nth <= calls; nth += counts(7, 1)) BOOST_TEST_CONTEXT("failed: call " << nth) {
      if (machine.run("status --check").status != 0) machine.load();
      const auto hit = run_injected(machine.host, "bpf", "error=ENOMEM", nth, line);
      const bool runs = machine.run("status --check").status == 0;
      const bool says = line.starts_with("upgrade") ? hit.status == 3 : hit.status == 0;
      BOOST_TEST(!(runs && says), hit.err);
      failed += hit.status != 0 ? 1 : 0;
    }
  BOOST_TEST(failed > 0);
}

// A component that runs under another key than the one asked for would say "loaded already".
BOOST_AUTO_TEST_CASE(a_load_that_is_killed_has_its_key_or_is_not_done) {
  Machine machine;
  const std::string key(32, '7');
  std::ofstream("/run/the-key") << key;
  const std::string line = "load eth0 --single-ok --key-file /run/the-key" + with_object;
  for (const std::string call : {"bpf", "sendto"}) {
    const int calls = count_calls(machine.host, call, line);
    BOOST_TEST(calls > 0);
    for (int nth = std::max(1, calls - counts(4, 1000)); nth <= calls; nth++)
      BOOST_TEST_CONTEXT("killed at " << call << " " << nth) {
        machine.loader.require("unload --all");
        run_injected(machine.host, call, "signal=KILL", nth, line);
        const auto again = machine.loader.run(line);
        BOOST_TEST((again.status == 0 || again.err.find("already") != std::string::npos),
                   again.err);
        BOOST_TEST(machine.loader.require("save --full").find(key) != std::string::npos);
      }
    machine.loader.require("unload --all");
  }
}

// Over maps that were kept, whose neighbours the kernel has lost since.
BOOST_AUTO_TEST_CASE(a_load_that_is_killed_when_it_has_attached_has_its_neighbours) {
  Machine machine;
  machine.load_with_services();
  const auto wanted = take_snapshot(machine);
  const std::string line = "load eth0 --single-ok" + with_object;
  const auto lose = [&] {
    machine.loader.require("unload --all --keep-maps");
    machine.host.ip("link set eth0 down\nlink set eth0 up\naddress replace fd00::1/64 dev eth0");
  };
  lose();
  const auto calls = calls_of(machine.host, "sendto", line);
  const auto attaches = [](const auto& call) {
    return call.find("RTM_SETLINK") != std::string::npos;
  };
  const auto attached = std::ranges::find_if(calls, attaches) - calls.begin() + 1;
  lose();
  const auto next = static_cast<int>(attached) + 1;
  const auto hit = run_injected(machine.host, "sendto", "signal=KILL", next, line);
  BOOST_TEST(hit.status == 128 + SIGKILL);
  machine.loader.require("status --check eth0");
  const auto now = take_snapshot(machine);
  for (const auto& [name, value] : wanted)
    if (name.starts_with("neighbour ")) BOOST_TEST(now.contains(name), name << " is lost");
}

// Where the component runs already, without a service as yet.
BOOST_AUTO_TEST_CASE(a_load_that_fails_leaves_the_key) {
  Machine machine;
  std::ofstream("/run/the-key") << std::string(32, '7');
  const std::string line = "load eth1 --single-ok --key-file /run/the-key" + with_object;
  machine.load();
  const int calls = count_calls(machine.host, "bpf", line);
  int failed = 0;
  for (int nth = 1; nth <= calls; nth += counts(47, 1)) {
    machine.loader.require("unload --all");
    machine.load();
    const auto before = machine.loader.require("save --full");
    const auto hit = run_injected(machine.host, "bpf", "error=ENOMEM", nth, line);
    if (hit.status == 0) continue;  // it can do without
    failed++;
    BOOST_TEST(machine.loader.require("save --full") == before, "ENOMEM at " << nth);
  }
  BOOST_TEST(failed > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
