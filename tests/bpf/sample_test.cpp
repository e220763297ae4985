// SPDX-License-Identifier: GPL-2.0-only
// What who follows drops sees: reason and first bytes of what is dropped, as often as the limit
// has it; and nothing is written for nobody.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <boost/test/unit_test.hpp>
#include <chrono>

#include "plugin/error.h"
#include "plugin/exceptions.h"
#include "plugin/follow.h"
#include "plugin/map.h"
#include "tests/bpf/expect.h"

namespace xdplb::test {

namespace {

const std::string service = "192.0.2.10:80/tcp";
const PacketSpec expired{
    .from = ip("198.51.100.7"), .to = ip("192.0.2.10"), .ttl = 1, .payload = 300};
const PacketSpec cut{.to = ip("192.0.2.10"), .more = true};
const PacketSpec good{.to = ip("192.0.2.10")};
constexpr std::uint32_t all_reasons = ~0U;

struct Followed : Balancer {
  Followed() {
    add_service(service);
    add_backend(service, "10.0.0.1", 1);
    const Fd map(::bpf_obj_get(pin_of(pins().path(), "lb_samples").c_str()));
    ring_ = ring_buffer__new(map.get(), take, this, nullptr);
    BOOST_REQUIRE(ring_ != nullptr);
  }
  ~Followed() { ring_buffer__free(ring_); }
  Followed(const Followed&) = delete;
  Followed& operator=(const Followed&) = delete;

  void follow(std::uint32_t seconds, std::uint32_t reasons = all_reasons) const {
    store(pins().meta().follow, {epoch_seconds() + seconds, reasons});
  }
  std::vector<lb_sample> samples() {
    got_.clear();
    ring_buffer__consume(ring_);
    return got_;
  }

 private:
  static int take(void* self, void* data, std::size_t size) {
    BOOST_TEST(size == sizeof(lb_sample));
    static_cast<Followed*>(self)->got_.push_back(*static_cast<lb_sample*>(data));
    return 0;
  }

  OneCpu one_;  // its limit
  ring_buffer* ring_ = nullptr;
  std::vector<lb_sample> got_;
};

void check_sample(const lb_sample& sample, const Bytes& frame, lb_reason reason) {
  const auto captured = std::min<std::size_t>(frame.size(), LB_SAMPLE_FRAME);
  BOOST_TEST(unsigned{sample.reason} == reason);
  BOOST_TEST(unsigned{sample.verdict} == unsigned{XDP_DROP});
  BOOST_TEST(sample.ifindex == loopback_ifindex);
  BOOST_TEST(sample.length == frame.size());
  BOOST_TEST_REQUIRE(sample.captured == captured);
  BOOST_TEST(Bytes(sample.frame, sample.frame + captured) ==
                 Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(captured)),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_SUITE(sample, Followed)

BOOST_AUTO_TEST_CASE(of_both_programs) {
  follow(60);
  for (const bool grows : {false, true}) BOOST_TEST_CONTEXT(grows)
  for (const auto& [spec, reason] :
       {std::pair(expired, LB_TTL_EXPIRED), std::pair(cut, LB_FRAGMENT)}) {
    const auto frame = build(spec);
    const auto run = grows ? run_inline(frame) : Balancer::run(frame);
    BOOST_TEST(run.verdict == unsigned{XDP_DROP});
    const auto got = samples();
    BOOST_TEST_REQUIRE(got.size() == 1U);
    check_sample(got[0], frame, reason);
  }
}

BOOST_AUTO_TEST_CASE(in_several_buffers) {
  follow(60);
  auto spec = expired;
  spec.payload = 5000;
  const auto frame = build(spec);
  BOOST_TEST(run(frame, loopback_ifindex, 3500).verdict == unsigned{XDP_DROP});
  const auto got = samples();
  BOOST_TEST_REQUIRE(got.size() == 1U);
  check_sample(got[0], frame, LB_TTL_EXPIRED);
}

// A defect of another program, which may leak packets, is shown though it passes.
BOOST_AUTO_TEST_CASE(of_the_egress_program) {
  follow(60);
  BOOST_TEST(run_egress(build(good)).verdict == unsigned{XDP_PASS});
  const auto got = samples();
  BOOST_TEST_REQUIRE(got.size() == 1U);
  BOOST_TEST(unsigned{got[0].reason} == LB_FOREIGN);
  BOOST_TEST(unsigned{got[0].verdict} == unsigned{XDP_PASS});
}

BOOST_AUTO_TEST_CASE(of_nothing_else) {
  follow(60, 1U << LB_TTL_EXPIRED);
  BOOST_TEST(run(build(good)).verdict == unsigned{XDP_TX});
  BOOST_TEST(run(build({.to = ip("192.0.2.99")})).verdict == unsigned{XDP_PASS});
  BOOST_TEST(run(build(cut)).verdict == unsigned{XDP_DROP});
  BOOST_TEST(samples().empty());
  BOOST_TEST(run(build(expired)).verdict == unsigned{XDP_DROP});
  BOOST_TEST(samples().size() == 1U);
}

BOOST_AUTO_TEST_CASE(for_nobody) {
  BOOST_TEST(run(build(expired)).verdict == unsigned{XDP_DROP});
  BOOST_TEST(samples().empty(), "nobody follows");
  follow(0);
  BOOST_TEST(run(build(expired)).verdict == unsigned{XDP_DROP});
  BOOST_TEST(samples().empty(), "the time is over");
}

// A hundred, and one a jiffy; all of them would fill the ring with eight hundred.
BOOST_AUTO_TEST_CASE(of_a_flood) {
  follow(60);
  const auto frame = build(expired);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 2000; ++i) (void)run(frame);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  const auto got = samples().size();
  BOOST_TEST(got >= 100U);
  BOOST_TEST(static_cast<double>(got) <= 101 + passed.count() * 1000, got << " were sampled");
}

BOOST_AUTO_TEST_CASE(in_words) {
  (void)run(build(expired));
  Follower follower(pins().path(), all_reasons);
  const auto frame = build(expired);
  (void)run(frame);
  (void)run(build({.to = ip("192.0.2.10"), .proto = 1, .payload = 0}));
  const auto got = follower.next();
  BOOST_TEST_REQUIRE(got.size() == 1U);
  BOOST_TEST(got[0].from == "198.51.100.7:40000");
  BOOST_TEST(got[0].to == "192.0.2.10:80");
  BOOST_TEST(got[0].protocol == "tcp");
  BOOST_TEST(got[0].interface == "lo");
  BOOST_TEST(got[0].length == frame.size());
  BOOST_TEST(
      (std::chrono::abs(std::chrono::system_clock::now() - got[0].time) < std::chrono::minutes(1)));
}

BOOST_AUTO_TEST_CASE(for_one_at_a_time) {
  {
    Follower first(pins().path(), all_reasons);
    BOOST_TEST(pins().meta().follow.until > epoch_seconds());
    follow(0);  // as one that takes it for dead
    BOOST_CHECK_THROW((void)first.next(), Error);
  }
  BOOST_TEST(load(pins().meta().follow).reasons == all_reasons, "it is another's now");
  { const Follower second(pins().path(), all_reasons); }
  BOOST_TEST(load(pins().meta().follow).until == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace xdplb::test
