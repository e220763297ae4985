// SPDX-License-Identifier: GPL-2.0-only
// Random frames, through each of the programs: verdict, each byte that leaves and each counter are
// those of the model, in all modes; and what is not for a service comes back as it went in.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>
#include <iostream>

#include "tests/bpf/generator.h"
#include "tests/bpf/links.h"
#include "tests/bpf/scene.h"

namespace xdplb::test {

namespace {

constexpr std::size_t frames_per_check = 400;  // of which each could be answered twice
constexpr std::size_t most_wrong = 10;

std::vector<ServiceId> ids_of(const Scene& scene) {
  std::vector<ServiceId> ids;
  for (const auto& service : scene.services()) ids.push_back(service.id);
  return ids;
}

std::string hex(const Bytes& frame) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : frame) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

// What leaves the host, whether the program in the chain writes it or the one on egress does.
Run run(const Scene& scene, const Bytes& frame, std::uint32_t ingress, Program program,
        bool egress) {
  auto run =
      program == Program::inlined ? scene.run_inline(frame, ingress) : scene.run(frame, ingress);
  if (!egress || run.verdict != XDP_REDIRECT) return run;
  auto carried_out = scene.run_egress(run.out);
  if (carried_out.verdict == XDP_PASS) run.out = std::move(carried_out.out);
  return run;
}

// Of GUE in IPv6; 0: none.
std::uint16_t outer_checksum(const Fate& fate) {
  if (fate.backend == nullptr || fate.verdict == XDP_PASS ||
      fate.backend->forward != Forward::gue || fate.backend->id.address.is_v4())
    return 0;
  return get16(fate.out, parse(fate.out).l4 + 6);
}

class Campaign {
 public:
  void run(std::size_t untouched, std::size_t served) {
    before_ = scene_.totals();
    while ((untouched_ < untouched || served_ < served) && wrong_ < most_wrong) {
      const auto entrance = scene_.entrances()[ran_ % scene_.entrances().size()];
      auto frame = generator_.next();
      if (ran_ % 8 == 0) steer(frame, entrance);
      for (const auto program : {Program::by_egress, Program::inlined})
        try_one(frame, entrance, program);
      ran_++;
      if (ran_ % frames_per_check == 0) check_counters();
    }
    check_counters();
    BOOST_TEST(wrong_ == 0U);
  }

  void print() const {
    std::cout << ran_ << " frames, " << served_ << " of them for a service, " << untouched_
              << " neither for one nor broken\n";
    for (const auto* kinds : {&generator_.kinds(), &classes_})
      for (const auto& [kind, count] : *kinds) std::cout << "  " << kind << ": " << count << '\n';
  }

  [[nodiscard]] std::size_t count(const std::string& kind) const {
    const auto found = classes_.find(kind);
    return found == classes_.end() ? 0 : found->second;
  }

 private:
  // Where the frame leaves in a GUE header with a checksum of IPv6, makes that zero, by its flow
  // label.
  void steer(Bytes& frame, std::uint32_t entrance) const {
    const auto fate = pipeline_.judge(frame, entrance, Program::inlined);
    const auto check = outer_checksum(fate);
    if (check == 0 || fate.family != LB_IPV6) return;
    const auto label = parse(frame).l3 + 2;
    const unsigned sum = unsigned{get16(frame, label)} + check;
    put16(frame, label, static_cast<std::uint16_t>(sum + (sum >> 16)));
  }

  void try_one(const Bytes& frame, std::uint32_t entrance, Program program) {
    const auto fate = pipeline_.judge(frame, entrance, program);
    const auto run = test::run(scene_, frame, entrance, program, fate.egress);
    expect(fate);
    if (program == Program::inlined)
      note(frame, fate);
    else
      note_egress(fate);
    const bool sent = fate.verdict != XDP_DROP;
    if (run.verdict == fate.verdict && (!sent || run.out == fate.out)) return;
    wrong_++;
    BOOST_ERROR("verdict " << run.verdict << ", " << fate.verdict
                           << " is right: " << reason_name(fate.reason)
                           << (program == Program::inlined ? ", inline" : ", by egress")
                           << "\nframe " << hex(frame) << "\nright " << hex(fate.out) << "\nout   "
                           << hex(run.out));
  }

  void expect(const Fate& fate) {
    for (const auto& [id, counter] : counters_of(fate)) {
      expected_[id].packets += counter.packets;
      expected_[id].bytes += counter.bytes;
    }
  }

  void note(const Bytes& frame, const Fate& fate) {
    if (fate.service != nullptr) served_++;
    if (fate.service == nullptr && fate.verdict == XDP_PASS) untouched_++;
    const auto family = "family " + std::to_string(fate.family) + ' ';
    const auto seen = [&](const std::string& what) { classes_[family + what]++; };
    const std::string reason(reason_name(fate.reason));
    seen(reason);
    if (fate.backend != nullptr && fate.backend->local) return seen("local");
    if (fate.out.empty() || fate.service == nullptr || fate.verdict == XDP_PASS) return;
    const auto packet = parse(frame);
    seen(reason + ", tags: " + std::to_string((packet.l3 - 14) / 4));
    if (packet.l4 - packet.l3 > (fate.family == LB_IPV4 ? 20U : 40U))
      seen(reason + " behind options or extension headers");
    if (fate.backend == nullptr) return;
    if (fate.service->source_prefix != 0) seen("by a prefix of the source");
    const auto mode = "by " + std::string(to_string(fate.backend->forward)) +
                      (fate.backend->id.address.is_v4() ? " to 1" : " to 2");
    constexpr std::array kinds{"whole", "first fragment", "later fragment", "ICMP error"};
    seen(mode + ", " + kinds.at(packet.kind));
    if (outer_checksum(fate) == 0xffff) seen("outer checksum zero");
    if (packet.kind != Parsed::icmp) return;
    const auto quote = quoted(frame, packet);
    seen(quote.plain ? "quoted as it is" : "quoted behind something");
    if (packet.end - quote.l4 == 8) seen("quoted by eight bytes");
  }

  void note_egress(const Fate& fate) {
    if (fate.egress || fate.reason == LB_NO_EGRESS)
      classes_["family " + std::to_string(fate.family) +
               " egress program: " + std::string(reason_name(fate.reason))]++;
  }

  void check_counters() {
    const auto after = scene_.totals();
    const bool right = after - before_ == expected_;
    if (!right) BOOST_TEST(after - before_ == expected_);
    if (!right) wrong_ += most_wrong;
    before_ = after;
    expected_.clear();
    scene_.refill_limits();
  }

  Scene scene_;
  Pipeline pipeline_ = scene_.pipeline();
  Generator generator_{ids_of(scene_), test_seed()};
  std::map<std::string, std::size_t> classes_;
  std::size_t ran_ = 0;
  std::size_t served_ = 0;
  std::size_t untouched_ = 0;
  std::size_t wrong_ = 0;
  Totals before_;
  Totals expected_;
};

// All that there can be.
std::vector<std::string> classes() {
  std::vector<std::string> names{"family 0 not-ip", "family 0 runt",
                                 "family 2 outer checksum zero"};
  for (const std::string family : {"family 1 ", "family 2 "}) {
    for (const auto reason : {LB_FORWARDED,
                              LB_NOT_TRANSPORT,
                              LB_NOT_SERVICE,
                              LB_LATER_FRAGMENT,
                              LB_RUNT,
                              LB_GROUP_FRAME,
                              LB_MALFORMED,
                              LB_FRAGMENT,
                              LB_TTL_EXPIRED,
                              LB_NO_BACKEND,
                              LB_NO_NEIGHBOUR,
                              LB_NO_ROUTE,
                              LB_OFF_LINK,
                              LB_VLAN_MISMATCH,
                              LB_NO_SOURCE,
                              LB_TOO_BIG,
                              LB_FRAGMENT_PASSED,
                              LB_ICMP_FRAGMENT,
                              LB_ECHO,
                              LB_TOLD_TOO_BIG})
      names.push_back(family + std::string(reason_name(reason)));
    for (const std::string mode : {"l2", "ipip", "gue", "gre"})
      for (const std::string to : {" to 1, ", " to 2, "})
        for (const auto* kind : {"whole", "first fragment", "later fragment", "ICMP error"})
          names.push_back(family + "by " + mode + to + kind);
    for (const std::string reason : {"forwarded", "echo", "told-too-big"})
      for (const auto* what :
           {", tags: 0", ", tags: 1", ", tags: 2", " behind options or extension headers"})
        names.push_back(family + reason + what);
    for (const auto* name :
         {"local", "by a prefix of the source", "quoted as it is", "quoted behind something",
          "quoted by eight bytes", "egress program: forwarded", "egress program: told-too-big",
          "egress program: no-egress"})
      names.push_back(family + name);
  }
  return names;
}

}  // namespace

BOOST_AUTO_TEST_CASE(pipeline) {
  Campaign campaign;
  if (full_counts())
    campaign.run(2'000'000, 1'000'000);
  else
    campaign.run(100'000, 60'000);
  campaign.print();
  for (const auto& name : classes()) BOOST_TEST(campaign.count(name) > 0U, "none: " << name);
}

}  // namespace xdplb::test
