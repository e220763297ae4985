// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/runner.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <numeric>
#include <span>
#include <stdexcept>

#include "plugin/counters.h"
#include "plugin/error.h"

namespace xdplb::bench {

namespace {

using namespace test;

constexpr unsigned sampled = 32;  // packets a round
constexpr int no_flags = 0;

// A map of it without the zeros.
template <typename Key>
std::map<Key, std::uint64_t> difference(const std::map<Key, std::uint64_t>& later,
                                        const std::map<Key, std::uint64_t>& earlier) {
  std::map<Key, std::uint64_t> result;
  for (const auto& [key, count] : later)
    if (count != earlier.at(key)) result[key] = count - earlier.at(key);
  return result;
}

std::map<int, std::uint64_t> growths(std::span<const __u32, DRIVER_LENGTHS> lengths) {
  std::map<int, std::uint64_t> result;
  for (std::size_t length = 0; length < lengths.size(); length++)
    if (lengths[length] != 0) result[static_cast<int>(length) - DRIVER_FRAME] = lengths[length];
  return result;
}

// Processor time of this thread: other load must not count.
double processor_ns() {
  timespec now{};
  if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0) throw SystemError(errno, "no clock");
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// BPF_PROG_TEST_RUN of the driver, on packets from the interface.
struct Stream {
  bpf_test_run_opts opts{};
  xdp_md context{};
  std::array<std::uint8_t, DRIVER_LENGTHS> out{};
  double ns = 0;  // that it took

  Stream(int program, const Row& row, std::uint32_t ifindex, std::uint32_t packets,
         std::uint32_t flags) {
    context.data_end = DRIVER_FRAME;
    context.ingress_ifindex = ifindex;
    opts.sz = sizeof(opts);
    opts.data_in = row.frame.data();
    opts.data_size_in = DRIVER_FRAME;
    opts.ctx_in = &context;
    opts.ctx_size_in = sizeof(context);
    opts.repeat = static_cast<int>(packets);
    opts.flags = flags;
    if (flags == no_flags) {
      opts.data_out = out.data();
      opts.data_size_out = out.size();
    }
    const auto start = processor_ns();
    if (::bpf_prog_test_run_opts(program, &opts) != 0)
      throw SystemError(errno, "running " + row.name());
    ns = processor_ns() - start;
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] int growth() const { return static_cast<int>(opts.data_size_out) - DRIVER_FRAME; }
};

void add(Seen& sum, const Seen& more) {
  for (const auto& [key, count] : more.verdicts) sum.verdicts[key] += count;
  for (const auto& [key, count] : more.growths) sum.growths[key] += count;
  for (const auto& [key, count] : more.hits) sum.hits[key] += count;
  sum.rewritten += more.rewritten;
}

void require(const Row& row, const Seen& seen, const Seen& right) {
  if (seen != right)
    throw std::runtime_error(row.name() + ": there were " + to_string(seen) + "; right were " +
                             to_string(right));
}

std::map<int, std::uint64_t> hits(const Row& row) {
  const auto family = row.v4() ? LB_IPV4 : LB_IPV6;
  std::map<int, std::uint64_t> result;
  const auto reasons = Counters(row.balancer->pins()).of_family(family);
  for (std::size_t reason = 0; reason < reasons.size(); reason++)
    result[static_cast<int>(reason)] = reasons.at(reason).packets;
  result[LB_FORWARDED] = row.balancer->state().forwarded_by_family()[family].packets;
  return result;
}

// The data path over the balancer's maps, as what BPF_PROG_TEST_RUN can run.
Object load_product(const Balancer& balancer) {
  const auto& pins = balancer.pins();
  auto object =
      open_object(XDP_LB_OBJECT, pins.path(), static_cast<std::uint32_t>(pins.arena_size()));
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    bpf_program__set_expected_attach_type(program, BPF_XDP);
    bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_XDP_HAS_FRAGS);
  }
  if (bpf_object__load(object.get()) != 0) throw SystemError(errno, "loading the data path");
  return object;
}

// Or a negative number.
int find_program(const Object& object, const char* name) {
  const auto* program = bpf_object__find_program_by_name(object.get(), name);
  return program == nullptr ? -1 : bpf_program__fd(program);
}

}  // namespace

std::string verdict_name(std::uint32_t verdict) {
  constexpr std::array names{"ABORTED", "DROP", "PASS", "TX", "REDIRECT"};
  return verdict < names.size() ? names.at(verdict) : std::to_string(verdict);
}

std::string to_string(const Seen& seen) {
  std::string text;
  for (const auto& [verdict, count] : seen.verdicts)
    text += verdict_name(verdict) + " " + std::to_string(count) + ", ";
  for (const auto& [growth, count] : seen.growths)
    text += std::to_string(growth) + " bytes longer " + std::to_string(count) + ", ";
  for (const auto& [reason, count] : seen.hits)
    text += std::string(reason_name(static_cast<lb_reason>(reason))) + " " + std::to_string(count) +
            ", ";
  return text + "other link address " + std::to_string(seen.rewritten);
}

Seen wanted(const Row& row, std::uint64_t sampled, std::uint64_t timed) {
  const auto& wanted = row.wanted;
  Seen seen;
  if (sampled != 0) seen.verdicts[wanted.verdict] = sampled + 1;  // and the last one
  seen.growths[wanted.growth] = sampled + timed;
  if (wanted.reason != uncounted) seen.hits[wanted.reason] = sampled + timed;
  if (sampled != 0 && wanted.rewritten) seen.rewritten = timed - 1;  // the last one isn't seen
  return seen;
}

Runner::Runner(const std::string& ifname, const std::string& peer)
    : object_(bpf_object__open_file(XDP_LB_DRIVER, nullptr)), ifindex_(ifindex_of(ifname)) {
  bpf_program* program = nullptr;
  if (!object_) throw SystemError(errno, "opening the driver program");
  bpf_object__for_each_program(program, object_.get())
      bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);  // as the program under test has
  if (bpf_object__load(object_.get()) != 0) throw SystemError(errno, "loading the driver program");
  driver_ = Mapping(Fd(::dup(map("driver_state"))), sizeof(driver_state), true, "driver_state");
  sink_ = Mapping(Fd(::dup(map("sink_state"))), sizeof(sink_state), true, "sink_state");
  const std::uint32_t zero = 0;
  bpf_devmap_val out{};
  out.ifindex = ifindex_;
  if (::bpf_map_update_elem(map("way_out"), &zero, &out, BPF_ANY) != 0 ||
      ::bpf_xdp_attach(static_cast<int>(ifindex_of(peer)), this->program("sink"),
                       XDP_FLAGS_DRV_MODE, nullptr) != 0)
    throw SystemError(errno, "opening a way out to " + peer);
}

int Runner::map(const char* name) const {
  return bpf_object__find_map_fd_by_name(object_.get(), name);
}

int Runner::program(const char* name) const { return find_program(object_, name); }

int Runner::program_of(const Row& row) {
  if (const int own = program(row.program.c_str()); own >= 0) return own;
  auto& product = products_[row.balancer];
  if (!product) product = load_product(*row.balancer);
  return find_program(product, row.program.c_str());
}

void Runner::prepare(const Row& row) {
  auto& state = driver_.as<driver_state>()[0];
  state = {};
  state.flow_mask = static_cast<std::uint32_t>(row.flows - 1);
  std::ranges::copy(row.at, state.at);
  state.base = row.base;
  std::memcpy(state.frame, row.frame.data(), DRIVER_FRAME);
  const std::uint32_t zero = 0;
  const int fd = program_of(row);
  if (::bpf_map_update_elem(map("under_test"), &zero, &fd, BPF_ANY) != 0)
    throw SystemError(errno, "putting " + row.program + " behind the driver");
}

void Runner::sample(const Row& row, Seen& seen) {
  for (unsigned i = 0; i < sampled; i++) {
    const Stream one(program("driver"), row, ifindex_, 1, no_flags);
    seen.verdicts[one.opts.retval]++;
    seen.growths[one.growth()]++;
  }
}

double Runner::time(const Row& row, std::uint32_t packets, Seen& seen) {
  auto& state = driver_.as<driver_state>()[0];
  std::ranges::fill(state.lengths, 0);
  state.rewritten = 0;
  const Stream stream(program("driver"), row, ifindex_, packets, no_flags);
  auto timed = growths(state.lengths);
  timed[0]--;  // the first, as it came
  timed[stream.growth()]++;
  std::erase_if(timed, [](const auto& growth) { return growth.second == 0; });
  add(seen, {{{stream.opts.retval, 1}}, timed, {}, state.rewritten});
  return stream.ns / packets;
}

void Runner::run(Result& result, std::uint32_t packets) {
  const auto& row = result.row;
  const auto before = hits(row);
  Seen seen;
  prepare(row);
  sample(row, seen);
  result.costs.push_back(time(row, packets, seen));
  seen.hits = difference(hits(row), before);
  require(row, seen, wanted(row, sampled, packets));
  add(result.seen, seen);
  result.packets += packets;
}

void Runner::run_live(Result& result, std::uint32_t packets) {
  const auto& row = result.row;
  const auto before = hits(row);
  auto& arrived = sink_.as<sink_state>()[0];
  prepare(row);
  arrived = {};
  const Stream stream(program("driver"), row, ifindex_, packets, BPF_F_TEST_XDP_LIVE_FRAMES);
  const auto count = [&] {
    return std::accumulate(std::begin(arrived.lengths), std::end(arrived.lengths), 0U);
  };
  constexpr unsigned patience = 100, wait_us = 1000;
  for (unsigned i = 0; count() < packets && i < patience; i++) ::usleep(wait_us);
  Seen seen{{}, growths(arrived.lengths), difference(hits(row), before)};
  const auto lost = packets - count();
  auto with_lost = seen;
  if (lost <= packets / 2) with_lost.growths[row.wanted.growth] += lost;
  require(row, with_lost, wanted(row, 0, packets));
  add(result.seen, seen);
  result.packets += packets;
  result.lost += lost;
  result.costs.push_back(stream.ns / (packets - lost));
}

}  // namespace xdplb::bench
