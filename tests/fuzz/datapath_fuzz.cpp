// SPDX-License-Identifier: GPL-2.0-only
// The data path in the kernel, on whatever frames: verdict and bytes are the model's, and each
// packet is counted once. What becomes of flows of mode fullnat depends on what was before, and the
// model knows the routes to clients alone: of other packets only a right verdict is required.
//
// The kernel's program isn't instrumented: what is new about a frame is how the model judges it.
#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <span>

#include "plugin/hex.h"
#include "tests/bpf/generator_nat.h"
#include "tests/bpf/scene.h"
#include "tests/bpf/scene_clients.h"

namespace xdplb::test {

namespace {

__attribute__((section("__libfuzzer_extra_counters"))) std::array<std::uint8_t, 1U << 14> seen{};

class Trial {
 public:
  void try_frame(const Bytes& frame) {
    const auto& entrances = scene_.entrances();
    for (const auto program : {Program::by_egress, Program::inlined})
      try_program(frame, entrances[frame.size() % entrances.size()], program);
    if (ran_ % runs_per_check == 0) check_counters();
  }

  [[nodiscard]] Bytes any_frame(unsigned seed) const {
    return NatGenerator(scene_.services(), seed).next();
  }

 private:
  void try_program(const Bytes& frame, std::uint32_t entrance, Program program) {
    const auto fate = pipeline_.judge(frame, entrance, program);
    auto run = program == Program::inlined ? scene_.run_inline(frame, entrance)
                                           : scene_.run(frame, entrance);
    ran_++;
    require(run.verdict > XDP_ABORTED && run.verdict <= XDP_REDIRECT, frame, fate, run);
    if (fate.egress && run.verdict == XDP_REDIRECT) {
      const auto sent = scene_.run_egress(run.out);
      require(sent.verdict == XDP_PASS || sent.verdict == XDP_DROP || sent.verdict == XDP_TX ||
                  sent.verdict == XDP_REDIRECT,
              frame, fate, sent);
      if (sent.verdict == XDP_PASS) run.out = sent.out;
    }
    note(frame, fate, program);
    if (is_open(frame, fate)) return;
    require(run.verdict == fate.verdict && (run.verdict == XDP_DROP || run.out == fate.out), frame,
            fate, run);
  }

  // What the model can't foretell: packets of a flow, and answers to others than clients.
  [[nodiscard]] bool is_open(const Bytes& frame, const Fate& fate) const {
    if (fate.flow != nullptr || fate.opens) return true;
    if (fate.service != nullptr && fate.service->pool.count != 0) return true;
    const auto packet = parse(frame);
    const auto& services = scene_.services();
    const auto is = [&](auto what) { return std::ranges::any_of(services, what); };
    if (is([&](const auto& one) { return one.id.vip == packet.to; })) return false;
    if (is([&](const auto& one) { return one.pool.contains(packet.to); })) return true;
    return !is_client(packet.to) && is([&](const auto& one) { return may_answer(packet, one); });
  }

  // Others may be the host's own, or have routes.
  [[nodiscard]] bool is_client(const Address& address) const {
    const auto last = address.bytes()[15];
    return last != 0 && last != 0xff &&  // anycast, broadcast
           std::ranges::any_of(networks_, [&](const auto& one) { return one.contains(address); });
  }

  static bool may_answer(const Parsed& packet, const PipelineService& service) {
    return packet.kind == Parsed::icmp ||
           std::ranges::any_of(service.backends, [&](const auto& backend) {
             return backend.forward == Forward::nat && backend.id.address == packet.from;
           });
  }

  static void note(const Bytes& frame, const Fate& fate, Program program) {
    const auto packet = parse(frame);
    std::size_t what = fate.reason;
    for (const std::size_t part :
         {std::size_t{fate.family}, std::size_t{packet.kind}, (packet.l3 - 14) / 4,
          std::size_t{fate.service != nullptr ? fate.service->number + 1 : 0},
          std::size_t{fate.backend != nullptr ? fate.backend->handle + 1 : 0},
          std::size_t{program == Program::inlined}, std::size_t{packet.extensions}})
      what = what * 131 + part;
    seen.at(what % seen.size())++;
  }

  static void require(bool holds, const Bytes& frame, const Fate& fate, const Run& run) {
    if (holds) return;
    std::cerr << "verdict " << run.verdict << ", " << fate.verdict
              << " is right: " << reason_name(fate.reason) << "\nframe " << hex(frame) << "\nright "
              << hex(fate.out) << "\nout   " << hex(run.out) << '\n';
    std::abort();
  }

  // Service counters are of packets that are counted by family as well.
  void check_counters() {
    std::uint64_t counted = 0;
    for (const auto& [id, counter] : scene_.totals())
      if (id.kind != CounterId::service) counted += counter.packets;
    if (counted != ran_) {
      std::cerr << counted << " of " << ran_ << " packets were counted\n";
      std::abort();
    }
    scene_.refill(LB_LIMIT_ANSWERS);
    if (ran_ % (runs_per_check * 64) == 0) scene_.forget_flows();
  }

  static constexpr std::size_t runs_per_check = 512;
  Scene scene_;
  Pipeline pipeline_ = scene_.pipeline();
  std::vector<Network> networks_ = client_networks();
  std::size_t ran_ = 0;
};

Trial& trial() {
  static auto& made = *new Trial;  // which goes with the process
  return made;
}

}  // namespace

}  // namespace xdplb::test

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  try {
    xdplb::test::enter_sandbox();
    xdplb::test::trial();
  } catch (const xdplb::test::Skip& lack) {
    std::cerr << "Skipped: " << lack.what() << '\n';
    std::exit(77);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t least = 14;
  constexpr std::size_t most = 3000;  // in one page
  if (size < least || size > most) return 0;
  xdplb::test::trial().try_frame({bytes, bytes + size});
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size, std::size_t most);

// Now and then, a frame that is nearly right.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t most, unsigned seed) {
  if (seed % 8 != 0) return LLVMFuzzerMutate(bytes, size, most);
  const auto frame = xdplb::test::trial().any_frame(seed);
  const auto taken = std::min(frame.size(), most);
  std::copy_n(frame.begin(), taken, bytes);
  return taken;
}
