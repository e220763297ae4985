// SPDX-License-Identifier: GPL-2.0-only
// Random frames: what is not for a service comes back as it went in, whatever it is, and each frame
// leaves for the reason that the oracle has for it.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>
#include <iostream>

#include "tests/bpf/expect.h"
#include "tests/bpf/generator.h"
#include "tests/bpf/oracle.h"
#include "tests/support/checksum_model.h"

namespace xdplb::test {

namespace {

const std::vector<std::string> services{
    "192.0.2.10:80/tcp",     "192.0.2.10:53/udp",     "192.0.2.11:0/tcp",     "192.0.2.11:443/tcp",
    "[2001:db8::10]:80/tcp", "[2001:db8::10]:53/udp", "[2001:db8::11]:0/udp",
};

constexpr std::size_t frames_per_check = 500;

std::vector<ServiceId> ids() {
  std::vector<ServiceId> ids;
  for (const auto& service : services) ids.push_back(ServiceId::parse(service));
  return ids;
}

// One backend a service; its number is the service's place in the list above, and one.
struct Services : Balancer {
  std::map<ServiceId, std::uint16_t> number;
  std::map<ServiceId, std::uint32_t> record;
  std::map<ServiceId, std::uint32_t> handle;

  Services() {
    for (const auto& service : services) {
      const auto id = ServiceId::parse(service);
      const auto next = static_cast<std::uint16_t>(number.size() + 1);
      number[id] = next;
      add_service(service);
      add_backend(service, "10.0.0." + std::to_string(next), next);
      record[id] = service_number(*this, service);
      handle[id] = handle_of(*this, service, next);
    }
  }

  void expect(Totals& expected, const Verdict& verdict) const {
    const auto add = [&](const CounterId& id) {
      expected[id].packets++;
      expected[id].bytes += verdict.bytes;
    };
    if (verdict.reason == LB_FORWARDED)
      return add({CounterId::backend, handle.at(*verdict.service), LB_FORWARDED});
    add({CounterId::family, verdict.family, verdict.reason});
    if (verdict.service) add({CounterId::service, record.at(*verdict.service), verdict.reason});
  }
};

// The frame as it must be sent; where its header checksum was wrong, as wrong as it was.
bool is_sent(const Bytes& frame, Bytes out, const Verdict& verdict, const lb_hop& hop) {
  if (out.size() != frame.size()) return false;
  if (verdict.family == LB_IPV4) {
    const std::size_t header = (frame[verdict.l3] & 15) * 4U;
    const auto sum = [&](const Bytes& f) {
      return ones_sum(std::span(f).subspan(verdict.l3, header)) % 0xffff;
    };
    if (sum(frame) != sum(out)) return false;
    fix_ipv4_checksum(out, verdict.l3);
  }
  return out == sent_to(frame, verdict.l3, hop);
}

std::string describe(const Bytes& frame) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : frame) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

class Campaign {
 public:
  void run(std::size_t wanted) {
    before_ = balancer_.totals();
    while (untouched_ < wanted && wrong_ < 10) {
      try_one(generator_.next());
      if (ran_ % frames_per_check == 0) check_counters();
    }
    BOOST_TEST(untouched_ >= wanted);
  }

  void print() const {
    std::cout << ran_ << " frames, " << untouched_ << " of them not for a service\n";
    for (const auto& [kind, count] : generator_.kinds())
      std::cout << "  " << kind << ": " << count << '\n';
    for (const auto& [which, count] : classes_)
      std::cout << "  family " << which.first << ' ' << reason_name(which.second) << ": " << count
                << '\n';
  }

  [[nodiscard]] std::size_t count(lb_family family, lb_reason reason) const {
    const auto found = classes_.find({family, reason});
    return found == classes_.end() ? 0 : found->second;
  }

 private:
  void try_one(const Bytes& frame) {
    const auto verdict = oracle_.judge(frame);
    const auto run = balancer_.run(frame);
    ran_++;
    classes_[{verdict.family, verdict.reason}]++;
    balancer_.expect(expected_, verdict);
    if (!verdict.service && verdict.reason != LB_MALFORMED) untouched_++;
    if (is_right(frame, run, verdict)) return;
    wrong_++;
    BOOST_ERROR("verdict " << run.verdict << " where the reason is " << reason_name(verdict.reason)
                           << ": " << describe(frame));
  }

  bool is_right(const Bytes& frame, const Run& run, const Verdict& verdict) const {
    if (!test::is_right(verdict.reason, run.verdict)) return false;
    if (run.verdict == XDP_PASS) return run.out == frame;
    if (verdict.reason != LB_FORWARDED) return true;
    return is_sent(frame, run.out, verdict, hop_to(balancer_.number.at(*verdict.service)));
  }

  void check_counters() {
    const auto after = balancer_.totals();
    const bool right = after - before_ == expected_;
    if (!right) BOOST_TEST(after - before_ == expected_);
    if (!right) wrong_++;
    before_ = after;
    expected_.clear();
  }

  Services balancer_;
  std::vector<ServiceId> ids_ = ids();
  Oracle oracle_{{ids_.begin(), ids_.end()}};
  Generator generator_{ids_, test_seed()};
  std::map<std::pair<lb_family, lb_reason>, std::size_t> classes_;
  std::size_t ran_ = 0;
  std::size_t untouched_ = 0;
  std::size_t wrong_ = 0;
  Totals before_;
  Totals expected_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(random_frames) {
  Campaign campaign;
  campaign.run(full_counts() ? 2'000'000 : 100'000);
  campaign.print();
  for (const auto family : {LB_IPV4, LB_IPV6})
    for (const auto reason : {LB_FORWARDED, LB_NOT_TRANSPORT, LB_NOT_SERVICE, LB_LATER_FRAGMENT,
                              LB_RUNT, LB_GROUP_FRAME, LB_MALFORMED, LB_FRAGMENT, LB_TTL_EXPIRED})
      BOOST_TEST(campaign.count(family, reason) > 0U, "none: " << reason_name(reason));
  for (const auto reason : {LB_NOT_IP, LB_RUNT})
    BOOST_TEST(campaign.count(LB_NO_FAMILY, reason) > 0U, "none: " << reason_name(reason));
}

}  // namespace xdplb::test
