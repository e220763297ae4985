// SPDX-License-Identifier: GPL-2.0-only
// Packets all the while that services and backends come and go: each finds a whole index and a
// whole table.
#include <linux/bpf.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <thread>

#include "tests/bpf/model.h"

namespace xdplb::test {

namespace {

const auto quiet4 = ServiceId::parse("192.0.2.10:80/tcp");     // changed by nobody
const auto quiet6 = ServiceId::parse("[2001:db8::10]:0/udp");  // likewise
const auto busy = ServiceId::parse("192.0.2.11:80/tcp");       // always has a backend
const auto fleeting = ServiceId::parse("192.0.2.12:80/tcp");   // is there, and is not

constexpr std::uint16_t fleeting_backend = 60;
constexpr std::uint16_t flows = 64;

// Backends by number, below 64.
std::uint64_t bit(std::uint16_t number) { return std::uint64_t{1} << number; }

// What the thread of packets saw. Written by it, read after it has ended.
struct Log {
  std::uint64_t packets = 0;
  std::uint64_t forwarded = 0;
  std::uint64_t misled = 0;     // of the quiet services
  std::uint64_t astray = 0;     // of the busy one, to none of its backends
  std::uint64_t odd = 0;        // of the fleeting one
  std::uint64_t found = 0;      // the fleeting service was there,
  std::uint64_t not_found = 0;  // or it was not
};

class Traffic {
 public:
  Traffic(Balancer& balancer, const std::vector<ModelService>& quiet) : balancer_(balancer) {
    for (std::uint16_t flow = 0; flow < flows; flow++) {
      const auto sport = static_cast<std::uint16_t>(2000 + flow);
      for (const auto& service : quiet) {
        const auto slot = service.slot_of(client(service.id), sport, 80);
        probes_.push_back({frame(service.id, sport), service.owners()[slot]});
      }
      probes_.push_back({frame(busy, sport), to_busy});
      probes_.push_back({frame(fleeting, sport), to_fleeting});
    }
  }

  // The busy service's backends from now on, old and new ones while it changes.
  void allow(std::uint64_t backends) { allowed_ = backends; }

  void run(const std::atomic<bool>& stop) {
    for (std::size_t i = 0; !stop; i = (i + 1) % probes_.size()) send(probes_[i]);
  }

  [[nodiscard]] const Log& log() const { return log_; }

 private:
  static constexpr std::uint16_t to_busy = 1000;
  static constexpr std::uint16_t to_fleeting = 1001;

  struct Probe {
    Bytes frame;
    std::uint16_t owner;  // or one of the two above
  };

  static Address client(const ServiceId& id) {
    return ip(id.vip.is_v4() ? "198.51.100.7" : "2001:db8:c::7");
  }

  static Bytes frame(const ServiceId& id, std::uint16_t sport) {
    return build({.from = client(id),
                  .to = id.vip,
                  .proto = static_cast<std::uint8_t>(id.protocol),
                  .sport = sport});
  }

  void send(const Probe& probe) {
    const auto before = allowed_.load();
    const auto run = balancer_.run(probe.frame);
    const auto allowed = before | allowed_.load();
    const auto number = run.verdict == XDP_TX ? backend_of(run.out) : std::uint16_t{0};
    log_.packets++;
    if (run.verdict == XDP_TX) log_.forwarded++;
    if (probe.owner == to_busy) {
      if (number == 0 || number > 63 || (allowed & bit(number)) == 0) log_.astray++;
    } else if (probe.owner == to_fleeting) {
      log_.found += run.verdict == XDP_PASS ? 0 : 1;
      log_.not_found += run.verdict == XDP_PASS ? 1 : 0;
      const bool right = run.verdict == XDP_PASS || run.verdict == XDP_DROP ||
                         (run.verdict == XDP_TX && number == fleeting_backend);
      if (!right || (run.verdict == XDP_PASS && run.out != probe.frame)) log_.odd++;
    } else if (number != probe.owner) {
      log_.misled++;
    }
  }

  Balancer& balancer_;
  std::vector<Probe> probes_;
  std::atomic<std::uint64_t> allowed_ = 0;
  Log log_;
};

// Changes of the busy and the fleeting service, round after round.
class Changes {
 public:
  Changes(Balancer& balancer, Traffic& traffic) : balancer_(balancer), traffic_(traffic) {}

  void round(unsigned number) {
    const auto guest = static_cast<std::uint16_t>(40 + number % 8);
    const auto address = "10.0.2." + std::to_string(guest);
    const auto id = BackendId::parse(address);
    auto& state = balancer_.state();
    change(bit(guest), 0, [&] { balancer_.add_backend(busy.to_string(), address, guest, 3); });
    change(0, 0, [&] { balancer_.add_service(fleeting.to_string()); });
    change(0, 0, [&] { state.set_backend(busy, id, {1 + number % 9, {}}); });
    change(0, 0,
           [&] { balancer_.add_backend(fleeting.to_string(), "10.0.3.1", fleeting_backend); });
    change(0, bit(guest), [&] { state.set_backend(busy, id, {0, {}}); });
    change(0, 0, [&] { state.set_service(busy, {{}, balance(number), {}}); });
    change(0, 0, [&] { state.delete_service(fleeting); });
    change(0, 0, [&] { state.delete_backend(busy, id, Removal::now); });
  }

  [[nodiscard]] std::size_t made() const { return made_; }

 private:
  static Balance balance(unsigned number) {
    return number % 3 == 0 ? Balance::off : number % 3 == 1 ? Balance::exact : Balance::slack;
  }

  template <typename Change>
  void change(std::uint64_t comes, std::uint64_t goes, const Change& make) {
    allowed_ |= comes;
    traffic_.allow(allowed_);
    make();
    allowed_ &= ~goes;
    traffic_.allow(allowed_);
    made_++;
    // What was forwarded never becomes less.
    const auto forwarded = balancer_.state().forwarded_by_family();
    const auto sum = forwarded[LB_IPV4].packets + forwarded[LB_IPV6].packets;
    BOOST_TEST(sum >= forwarded_);
    forwarded_ = sum;
  }

  Balancer& balancer_;
  Traffic& traffic_;
  std::uint64_t allowed_ = bit(7) | bit(8);
  std::uint64_t forwarded_ = 0;
  std::size_t made_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(churn) {
  Balancer balancer(1U << 18);
  const std::vector<ModelService> quiet{
      {quiet4, 512, Balance::slack, {{"10.0.0.1", 1}, {"10.0.0.2", 2, 3}, {"10.0.0.3", 3}}},
      {quiet6, min_slots, Balance::off, {{"10.0.0.4", 4}, {"10.0.0.5", 5}}},
  };
  for (const auto& service : quiet) make(balancer, service);
  make(balancer, {busy, 1024, Balance::off, {{"10.0.0.7", 7}, {"10.0.0.8", 8, 2}}});

  Traffic traffic(balancer, quiet);
  Changes changes(balancer, traffic);
  traffic.allow(bit(7) | bit(8));
  std::atomic<bool> stop = false;
  std::thread packets([&] { traffic.run(stop); });
  for (unsigned number = 0; number < (full_counts() ? 200U : 15U); number++) changes.round(number);
  stop = true;
  packets.join();

  const auto& log = traffic.log();
  std::cout << log.packets << " packets during " << changes.made() << " changes; "
            << "the fleeting service was found by " << log.found << " and not by " << log.not_found
            << '\n';
  BOOST_TEST(log.misled == 0U);
  BOOST_TEST(log.astray == 0U);
  BOOST_TEST(log.odd == 0U);
  BOOST_TEST(log.found > 0U);
  BOOST_TEST(log.not_found > 0U);
  BOOST_TEST(log.packets > 10'000U);

  // Counted: each forwarded packet once; and nothing but what the fleeting service explains.
  const auto forwarded = balancer.state().forwarded_by_family();
  BOOST_TEST(forwarded[LB_IPV4].packets + forwarded[LB_IPV6].packets == log.forwarded);
  for (const auto& [id, counter] : balancer.totals()) {
    if (id.kind == CounterId::backend) continue;
    const bool explained = id.kind == CounterId::family && id.number == LB_IPV4 &&
                           (id.reason == LB_NOT_SERVICE || id.reason == LB_NO_BACKEND);
    BOOST_TEST(explained, "counted: " << (Totals{{id, counter}}));
  }
}

}  // namespace xdplb::test
