// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/follow.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "plugin/error.h"
#include "plugin/exceptions.h"
#include "plugin/interface.h"

namespace xdplb {

namespace {

constexpr std::uint32_t patience = 3;  // seconds for which the data path believes in a follower

Pins open_pins(const std::string& pin_path) {
  const PinLock lock(pin_path, Access::change);
  return {pin_path, Access::change};
}

bool swap(lb_follow& word, lb_follow before, lb_follow now) {
  return __atomic_compare_exchange(&word, &before, &now, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

Sample to_sample(const lb_sample& raw) {
  using std::chrono::steady_clock, std::chrono::system_clock;
  Sample sample;
  if (raw.captured != 0) {
    Dissected packet{};
    Dissected flow{};
    lb_dissect(raw.frame, raw.captured, raw.length, &packet, &flow);
    static_cast<Ends&>(sample) = ends_of(packet);
  }
  const auto age = steady_clock::now().time_since_epoch() - std::chrono::nanoseconds(raw.time);
  sample.time = system_clock::now() - std::chrono::duration_cast<system_clock::duration>(age);
  sample.interface = interface_name(raw.ifindex);
  sample.reason = static_cast<lb_reason>(raw.reason);
  sample.verdict = raw.verdict;
  sample.length = raw.length;
  return sample;
}

}  // namespace

void Follower::Deleter::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Follower::Follower(const std::string& pin_path, std::uint32_t reasons)
    : pins_(open_pins(pin_path)), reasons_(reasons) {
  const auto pin = pin_of(pin_path, "lb_samples");
  const Fd map(::bpf_obj_get(pin.c_str()));
  if (!map) throw SystemError(errno, "opening " + pin);
  ring_.reset(ring_buffer__new(map.get(), take, this, nullptr));
  if (!ring_) throw SystemError(errno, "reading " + pin);
  wait_for_other();
  ring_buffer__consume(ring_.get());  // what was left for the other
  got_.clear();
  renew();
}

Follower::~Follower() { swap(pins_.meta().follow, said_, {}); }

int Follower::take(void* follower, void* data, std::size_t size) {
  if (size < sizeof(lb_sample)) return 0;
  try {
    static_cast<Follower*>(follower)->got_.push_back(*static_cast<const lb_sample*>(data));
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
  return 0;
}

void Follower::wait_for_other() {
  said_ = load(pins_.meta().follow);
  while (said_.until > epoch_seconds()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

void Follower::renew() {
  if (pinned_arena_id(pins_.path()) != pins_.arena_id())
    throw NotLoaded("the maps in " + pins_.path() + " are gone", "load the component again");
  const lb_follow next{epoch_seconds() + patience, reasons_};
  if (!swap(pins_.meta().follow, said_, next))
    throw Error("somebody else follows drops already", "one at a time can");
  said_ = next;
}

std::vector<Sample> Follower::next() {
  constexpr int second = 1000;
  renew();
  const int got = ring_buffer__poll(ring_.get(), second);
  if (got < 0 && got != -EINTR) throw SystemError(-got, "waiting for samples");
  std::vector<Sample> samples;
  std::ranges::transform(got_, std::back_inserter(samples), to_sample);
  got_.clear();
  return samples;
}

}  // namespace xdplb
