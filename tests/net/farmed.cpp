// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/farmed.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace xdplb::test {

namespace {

// An epoch ends within a second of its length, and flows of its end settle in another.
constexpr int more_seconds = 2;
constexpr auto second_shift = 30;  // as in the data path: 2^30 ns

const Loader& loaded(const Loader& loader, const std::string& options) {
  loader.load("eth0 " + options, "native");
  return loader;
}

std::string web_service(const std::string& family) { return vip(10, family == "ipv4") + ":80/tcp"; }

}  // namespace

Farmed::Farmed(const std::string& options, const std::string& family,
               const std::string& load_options, int connections)
    : all(connections),
      some(connections / 10),
      site({}),
      loader(site.balancer),
      service(loaded(loader, load_options), web_service(family), options) {
  service.add({1, 2, 3});
  site.serve_http();
  farm = std::make_unique<Farm>(site, service);
  refill();
}

void Farmed::refill() const {
  const auto report = farm->open(all);
  BOOST_REQUIRE_MESSAGE(report.open() == all, report.text());
}

Report Farmed::keep() const {
  auto report = farm->exchange();
  BOOST_REQUIRE_MESSAGE(report.open() == all, report.broken() << " broke:" << report.text());
  return report;
}

Report Farmed::survive() const {
  auto report = keep();
  BOOST_REQUIRE_MESSAGE(report.failed() == 0, report.failed() << " failed:" << report.text());
  return report;
}

void Farmed::survive_a_move() const { BOOST_TEST(moved(survive()) > 0); }

Report Farmed::survive_draining(const std::string& name) const {
  auto report = survive();
  BOOST_TEST(report.open(name) > 0);
  BOOST_TEST(report.answered(name) == 0);
  BOOST_TEST(report.answered() > 0);
  return report;
}

void Farmed::survive_without(const std::string& name) const {
  const auto before = survive_draining(name);
  farm->renew(some);
  const auto after = survive();
  BOOST_TEST(after.open(name) <= before.open(name));
  BOOST_TEST(after.answered(name) == 0);
}

void Farmed::lose(const std::string& name) const {
  const auto report = farm->exchange();
  BOOST_TEST(report.broken(name) > 0);
  BOOST_TEST(report.broken(name) == report.broken(), report.text());
  BOOST_TEST(report.open(name) == 0);
  BOOST_TEST(report.answered(name) == 0);
  BOOST_TEST(report.answered() > 0);
}

void Farmed::lose_the_moved() const {
  const auto report = farm->exchange();
  BOOST_TEST(report.broken() > 0);
  BOOST_TEST(report.broken() == moved(report), report.text());
  BOOST_TEST(std::ranges::all_of(
      report.live, [&](const auto& contact) { return contact.is_broken() == is_moved(contact); }));
}

int Farmed::outlive_epoch(int seconds) const {
  const auto end = monotonic_ns() + ((std::int64_t{seconds} + more_seconds) << second_shift);
  int failed = 0;
  while (monotonic_ns() < end) failed += keep().failed();
  loader.require("settle");
  return failed;
}

bool Farmed::is_moved(const Contact& contact) const {
  return service.expected(contact.from, service.endpoint().port) != contact.owner();
}

int Farmed::moved(const Report& report) const {
  return static_cast<int>(
      std::ranges::count_if(report.live, [&](const auto& contact) { return is_moved(contact); }));
}

}  // namespace xdplb::test
