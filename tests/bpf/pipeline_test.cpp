// SPDX-License-Identifier: GPL-2.0-only
// Random frames, through each of the programs: verdict, each byte that leaves and each counter are
// those of the model, in all modes; and what is not for a service comes back as it went in.
#include <linux/bpf.h>

#include <boost/test/unit_test.hpp>
#include <iostream>

#include "tests/bpf/generator_nat.h"
#include "tests/bpf/links.h"
#include "tests/bpf/pipeline_classes.h"
#include "tests/bpf/scene.h"

namespace xdplb::test {

namespace {

constexpr std::size_t frames_per_check = 400;  // of which each could be answered twice
constexpr std::size_t most_wrong = 10;
constexpr std::size_t most_flows = 20'000;

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
      scene_.hold_clock();
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
    if ((is_rewriting(fate) || fate.reason == LB_RETURNED) && !fate.opens && is_sent(fate))
      return steer_udp(frame, fate);
    const auto check = outer_checksum(fate);
    if (check == 0 || fate.family != LB_IPV6) return;
    const auto label = parse(frame).l3 + 2;
    const unsigned sum = unsigned{get16(frame, label)} + check;
    put16(frame, label, static_cast<std::uint16_t>(sum + (sum >> 16)));
  }

  // Makes the UDP checksum that the packet leaves with zero, by a word of its payload.
  static void steer_udp(Bytes& frame, const Fate& fate) {
    const auto packet = parse(frame);
    if (packet.kind != Parsed::whole || packet.proto != proto_udp || packet.l4 + 10 > packet.end)
      return;
    const auto put_sum = [](Bytes& bytes, std::size_t at, unsigned sum) {
      put16(bytes, at, static_cast<std::uint16_t>(sum + (sum >> 16)));
    };
    const unsigned left = get16(fate.out, packet.l4 + 6);
    put_sum(frame, packet.l4 + 8, get16(frame, packet.l4 + 8) + left);
    put_sum(frame, packet.l4 + 6, get16(frame, packet.l4 + 6) + 0xffffU - left);
  }

  void try_one(const Bytes& frame, std::uint32_t entrance, Program program) {
    auto fate = pipeline_.judge(frame, entrance, program);
    const auto run = test::run(scene_, frame, entrance, program, fate.egress);
    if (fate.opens) fate = learn(frame, entrance, program, fate, run);
    expect(fate);
    if (program == Program::inlined)
      note(frame, fate);
    else
      note_egress(fate);
    note_flow(fate, pipeline_.flows().find(Flows::client, fate.flow ? fate.flow->asked : Tuple{}) !=
                        nullptr);
    pipeline_.happened(fate);
    const bool sent = fate.verdict != XDP_DROP;
    if (run.verdict == fate.verdict && (!sent || run.out == fate.out)) return;
    wrong_++;
    BOOST_ERROR("verdict " << run.verdict << ", " << fate.verdict
                           << " is right: " << reason_name(fate.reason)
                           << (program == Program::inlined ? ", inline" : ", by egress")
                           << "\nframe " << hex(frame) << "\nright " << hex(fate.out) << "\nout   "
                           << hex(run.out));
  }

  // A new flow's source is what it left with. What never left opened none.
  Fate learn(const Bytes& frame, std::uint32_t entrance, Program program, const Fate& fate,
             const Run& run) {
    if (!is_sent(fate) || run.verdict == XDP_DROP) {
      const auto forgotten = scene_.forget(fate.flow->asked);
      if (forgotten) pipeline_.flows().forget(fate.flow->asked, *forgotten);
      auto without = fate;
      without.opens = without.uses = false;
      return without;
    }
    const auto sent = tuple_of(parse(run.out));
    auto learnt = pipeline_.judge(frame, entrance, program, &sent);
    const bool fair = pipeline_.flows().may_have(*learnt.flow);
    if (!fair) wrong_++;
    BOOST_TEST(fair, "a source of no pool, or another flow's: " << hex(run.out));
    generator_.learn(*learnt.flow);
    return learnt;
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
    if (fate.reason == LB_RETURNED && fate.verdict == XDP_PASS) return seen("left to the kernel");
    if (fate.out.empty() || fate.service == nullptr || fate.verdict == XDP_PASS) return;
    const auto packet = parse(frame);
    if (fate.reason == LB_TOLD_TOO_BIG && packet.to != fate.service->id.vip) seen(reason + " back");
    seen(reason + ", tags: " + std::to_string((packet.l3 - 14) / 4));
    if (packet.l4 - packet.l3 > (fate.family == LB_IPV4 ? 20U : 40U))
      seen(reason + " behind options or extension headers");
    if (fate.reason == LB_RETURNED || is_rewriting(fate)) note_rewritten(frame, packet, fate);
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

  static bool is_rewriting(const Fate& fate) {
    return fate.backend != nullptr &&
           (fate.backend->forward == Forward::nat || fate.backend->forward == Forward::fullnat);
  }

  // What became of the packet of a flow in modes nat and fullnat, in both directions.
  void note_rewritten(const Bytes& frame, const Parsed& packet, const Fate& fate) {
    constexpr std::array kinds{"whole", "first fragment", "later fragment", "ICMP error"};
    const auto family = "family " + std::to_string(fate.family) + ' ';
    const auto seen = [&](const std::string& what) { classes_[family + what]++; };
    const bool back = fate.backend == nullptr;
    const std::string way = back ? "back" : "there";
    if (back)
      seen((fate.flow != nullptr ? "by fullnat back, " : "by nat back, ") +
           std::string(kinds.at(packet.kind)));
    if (packet.kind == Parsed::icmp) {
      const auto quote = quoted(frame, packet);
      seen(way + (packet.end - quote.l4 == 8 ? ", quoted by eight bytes" : ", quoted by more"));
      return;
    }
    if (packet.proto != proto_udp || packet.kind != Parsed::whole) return;
    if (get16(frame, packet.l4 + 6) == 0) seen(way + ", no UDP checksum");
    if (get16(fate.out, packet.l4 + 6) == 0xffff) seen(way + ", UDP checksum of zero");
  }

  // What flows were in, as packets came.
  void note_flow(const Fate& fate, bool known) {
    if (fate.flow == nullptr) return;
    constexpr std::array states{"opening", "open", "closing", "of datagrams"};
    const std::string side = fate.side == Flows::client ? "client" : "backend";
    if (fate.opens)
      classes_[known ? "flow opened anew" : "flow opened"]++;
    else
      classes_["flow " + std::string(states.at(fate.flow->states.at(fate.side))) + ", " + side]++;
    if (fate.uses && !fate.opens && (fate.flags & 4) != 0) classes_["flow reset by the " + side]++;
    if (fate.uses && !fate.opens && (fate.flags & 1) != 0) classes_["flow closed by the " + side]++;
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
    pass_time();
    before_ = after;
    expected_.clear();
    scene_.refill(LB_LIMIT_ANSWERS);
  }

  // By multiples of what is far from every limit, whatever it adds up to.
  void pass_time() {
    constexpr unsigned step = 26;
    constexpr std::array<unsigned, 4> steps{1, 3, 5, 831};
    if (ran_ % (8 * frames_per_check) != 0) return;
    const auto seconds = step * steps.at(ran_ / (8 * frames_per_check) % steps.size());
    scene_.age(seconds);
    pipeline_.flows().age(seconds);
    if (pipeline_.flows().size() < most_flows) return;
    scene_.forget_flows();
    pipeline_.flows().forget_all();
  }

  Scene scene_;
  Pipeline pipeline_ = scene_.pipeline();
  NatGenerator generator_{scene_.services(), test_seed()};
  std::map<std::string, std::size_t> classes_;
  std::size_t ran_ = 0;
  std::size_t served_ = 0;
  std::size_t untouched_ = 0;
  std::size_t wrong_ = 0;
  Totals before_;
  Totals expected_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(pipeline) {
  Campaign campaign;
  if (full_counts())
    campaign.run(2'000'000, 1'000'000);
  else
    campaign.run(50'000, 30'000);
  campaign.print();
  for (const auto& name : pipeline_classes())
    BOOST_TEST(campaign.count(name) > 0U, "none: " << name);
}

}  // namespace xdplb::test
