// SPDX-License-Identifier: GPL-2.0-only
#include "tests/support/bpf_fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <ostream>
#include <stdexcept>

#include "plugin/diagnostics.h"
#include "plugin/error.h"
#include "plugin/map.h"

namespace xdplb::test {

namespace {

constexpr std::size_t max_frame = 65536;

// The first `count` values of a per-CPU array, all CPUs of one behind each other.
template <typename T>
std::vector<T> read_values(const Fd& map, std::uint32_t count) {
  static const auto cpus = static_cast<std::size_t>(::libbpf_num_possible_cpus());
  std::vector<T> values(count * cpus);
  std::vector<std::uint32_t> keys(count);
  std::uint32_t next = 0;
  std::uint32_t got = count;
  if (::bpf_map_lookup_batch(map.get(), nullptr, &next, keys.data(), values.data(), &got,
                             nullptr) != 0 &&
      errno != ENOENT)  // which only says that there are no more
    throw SystemError(errno, "reading counters");
  if (got != count) throw std::runtime_error("a map of counters is too small");
  return values;
}

void add(Totals& totals, const CounterId& id, const lb_counter& counter) {
  if (counter.packets == 0 && counter.bytes == 0) return;
  auto& sum = totals[id];
  sum.packets += counter.packets;
  sum.bytes += counter.bytes;
}

void add_reasons(Totals& totals, CounterId::Kind kind, const Fd& map, std::uint32_t count) {
  const auto values = read_values<lb_reason_counters>(map, count);
  for (std::size_t i = 0; i < values.size(); i++)
    for (unsigned reason = 0; reason < LB_REASONS; reason++)
      add(totals, {kind, static_cast<std::uint32_t>(i / (values.size() / count)), reason},
          values[i].reason[reason]);
}

struct RunOptions {
  bpf_test_run_opts opts{};
  xdp_md context{};

  RunOptions(const Bytes& frame, std::uint32_t ingress) {
    context.data_end = static_cast<std::uint32_t>(frame.size());
    context.ingress_ifindex = ingress;
    opts.sz = sizeof(opts);
    opts.data_in = frame.data();
    opts.data_size_in = static_cast<std::uint32_t>(frame.size());
    opts.ctx_in = &context;
    opts.ctx_size_in = sizeof(context);
  }
  RunOptions(const RunOptions&) = delete;
  RunOptions& operator=(const RunOptions&) = delete;
};

}  // namespace

Totals operator-(const Totals& later, const Totals& earlier) {
  auto moved = later;
  for (const auto& [id, counter] : earlier) {
    auto& left = moved[id];
    left.packets -= counter.packets;
    left.bytes -= counter.bytes;
    if (left.packets == 0 && left.bytes == 0) moved.erase(id);
  }
  return moved;
}

bool operator==(const Totals& a, const Totals& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.packets == y.second.packets &&
           x.second.bytes == y.second.bytes;
  });
}

std::ostream& operator<<(std::ostream& out, const Totals& totals) {
  constexpr std::array kinds{"family ", "service ", "backend "};
  out << '{';
  for (const auto& [id, counter] : totals)
    out << ' ' << kinds.at(id.kind) << id.number << ' '
        << (id.reason < LB_REASON_COUNT ? reason_name(static_cast<lb_reason>(id.reason)) : "?")
        << ": " << counter.packets << " packets, " << counter.bytes << " bytes;";
  return out << " }";
}

Balancer::Balancer(std::uint32_t arena_size, std::uint32_t flow_keys,
                   std::uint32_t exception_sets) {
  static unsigned made = 0;
  path_ = "/sys/fs/bpf/balancer" + std::to_string(made++);
  const PinLock lock(path_, Access::change, PinLock::Missing::make);
  make_maps(XDP_LB_OBJECT, path_, arena_size, flow_keys, exception_sets);
  object_ = open_object(XDP_LB_OBJECT, path_, arena_size);
  const Diagnostics diagnostics;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    // As what BPF_PROG_TEST_RUN can run: no program for a devmap.
    bpf_program__set_expected_attach_type(program, BPF_XDP);
    bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_XDP_HAS_FRAGS);
  }
  if (bpf_object__load(object_.get()) != 0)
    throw std::runtime_error("the programs were not loaded: " + diagnostics.text());
  const auto loaded = [&](const char* name) {
    return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), name));
  };
  program_ = loaded("xdp_lb");
  inline_ = loaded("xdp_lb_inline");
  egress_ = loaded("xdp_lb_egress");
  pins_ = std::make_unique<Pins>(path_, Access::change);
  std::ranges::copy(test_key, pins_->meta().cluster_key);
  state_ = std::make_unique<State>(*pins_);
}

Balancer::~Balancer() {
  try {
    remove_pins(path_);
  } catch (const Failure&) {
    // The bpffs goes with the process anyway.
  }
}

Run Balancer::run(const Bytes& frame, std::uint32_t ingress, std::uint32_t linear) const {
  return run_program(program_, frame, ingress, linear);
}

Run Balancer::run_inline(const Bytes& frame, std::uint32_t ingress) const {
  return run_program(inline_, frame, ingress, 0);
}

Run Balancer::run_egress(const Bytes& frame) const {
  return run_program(egress_, frame, loopback_ifindex, 0);
}

std::vector<bpf_insn> Balancer::code(const char* program) const {
  const auto* found = bpf_object__find_program_by_name(object_.get(), program);
  const auto* insns = bpf_program__insns(found);
  return {insns, insns + bpf_program__insn_cnt(found)};
}

void Balancer::open_egress(std::uint32_t ifindex) const {
  bpf_devmap_val entry{};
  entry.ifindex = ifindex;
  if (::bpf_map_update_elem(pins_->egress().get(), &ifindex, &entry, BPF_ANY) != 0)
    throw SystemError(errno, "opening the way out of interface " + std::to_string(ifindex));
}

void Balancer::refill(lb_limited what) const {
  const Fd map(::bpf_obj_get((pins_->path() + "/lb_limits").c_str()));
  const std::vector<lb_limit> full(static_cast<std::size_t>(::libbpf_num_possible_cpus()),
                                   lb_limit{0, 1000});
  const std::uint32_t key = what;
  if (!map || ::bpf_map_update_elem(map.get(), &key, full.data(), BPF_ANY) != 0)
    throw SystemError(errno, "refilling a limit");
}

Run Balancer::run_program(int program, const Bytes& frame, std::uint32_t ingress,
                          std::uint32_t linear) {
  thread_local std::vector<std::uint8_t> buffer(max_frame);
  RunOptions run(frame, ingress);
  if (linear != 0) run.context.data_end = linear;
  run.opts.data_out = buffer.data();
  run.opts.data_size_out = static_cast<std::uint32_t>(buffer.size());
  if (::bpf_prog_test_run_opts(program, &run.opts) != 0)
    throw SystemError(errno, "running a frame of " + std::to_string(frame.size()) + " bytes");
  return {run.opts.retval, Bytes(buffer.begin(), buffer.begin() + run.opts.data_size_out)};
}

void Balancer::run_live(const Bytes& frame, std::uint32_t ingress) const {
  RunOptions run(frame, ingress);
  run.opts.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  run.opts.repeat = 1;
  if (::bpf_prog_test_run_opts(program_, &run.opts) != 0)
    throw SystemError(errno, "sending a live frame");
}

Totals Balancer::totals() const {
  Totals totals;
  add_reasons(totals, CounterId::family, pins_->reason_counters(), LB_FAMILIES);
  add_reasons(totals, CounterId::service, pins_->service_counters(), watched_services);
  const auto backends = read_values<lb_next_hop>(pins_->next_hops(), watched_backends);
  for (std::size_t i = 0; i < backends.size(); i++)
    add(totals,
        {CounterId::backend, static_cast<std::uint32_t>(i / (backends.size() / watched_backends)),
         LB_FORWARDED},
        backends[i].forwarded);
  return totals;
}

void Balancer::add_service(const std::string& id, unsigned slots, Balance balance) {
  ServiceChange options{Forward::l2, balance, slots};
  options.remember = Remember::none;
  state_->add_service(ServiceId::parse(id), options);
}

void Balancer::add_backend(const std::string& service, const std::string& address,
                           std::uint16_t number, unsigned weight, std::uint32_t ifindex) {
  state_->add_backend(ServiceId::parse(service), BackendId::parse(address),
                      {weight, hop_to(number, ifindex)});
}

Mac backend_mac(std::uint16_t number) {
  return {0x06,
          0xb0,
          0x5e,
          0xc4,
          static_cast<std::uint8_t>(number >> 8),
          static_cast<std::uint8_t>(number)};
}

lb_hop hop_to(std::uint16_t number, std::uint32_t ifindex) {
  lb_hop hop{ifindex, {}, {0x06, 0xee, 0xa1, 0xb2, 0xc3, 0xd4}};
  std::ranges::copy(backend_mac(number), hop.dst);
  return hop;
}

std::uint16_t backend_of(const Bytes& frame) {
  const auto number = get16(frame, 4);
  return std::ranges::equal(backend_mac(number), std::span(frame).first(6)) ? number
                                                                            : std::uint16_t{0};
}

}  // namespace xdplb::test
