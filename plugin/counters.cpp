// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/counters.h"

#include <vector>

#include "plugin/map.h"

namespace xdplb {

namespace {

struct Reason {
  std::string_view name;
  Fate fate;
  std::string_view text;
};

// In the order of enum lb_reason.
constexpr std::array<Reason, LB_REASON_COUNT> reasons{{
    {"forwarded", Fate::forwarded, "sent to a backend"},
    {"not-ip", Fate::passed, "neither IPv4 nor IPv6"},
    {"not-transport", Fate::passed, "neither TCP nor UDP, nor ICMP about a service's flow"},
    {"not-service", Fate::passed, "TCP or UDP, but no service has that address and port"},
    {"later-fragment", Fate::passed, "a fragment without ports: whose it is can't be told"},
    {"runt", Fate::passed, "cut short or inconsistent, and not for a VIP"},
    {"group-frame", Fate::passed, "for a service, but in a broadcast or multicast frame"},
    {"malformed", Fate::dropped, "cut short or inconsistent, and for a VIP"},
    {"fragment", Fate::dropped, "the first fragment of a service's packet"},
    {"ttl-expired", Fate::dropped, "TTL or hop limit would reach zero"},
    {"no-backend", Fate::dropped, "the service has no backend that takes packets"},
    {"no-neighbour", Fate::dropped, "the backend's link address isn't known"},
    {"no-route", Fate::dropped, "the kernel has no route to the backend"},
    {"off-link", Fate::dropped, "the route to the backend leads through a gateway"},
    {"forwarding-off", Fate::dropped, "IP forwarding is off on the interface"},
    {"vlan-mismatch", Fate::dropped, "more or fewer VLAN tags than the way to the backend has"},
    {"internal", Fate::passed, "a number in a map leads outside of another: a defect"},
    {"no-source", Fate::dropped, "no address of this host to send outer headers from"},
    {"too-big", Fate::dropped,
     "too big for its way with an outer header, and the client can't be told"},
    {"no-egress", Fate::dropped, "no egress program on the device, which this chain needs"},
    {"foreign", Fate::passed, "another program redirects to the device: packets may leak"},
    {"fragment-passed", Fate::passed, "the first fragment of a service that passes them"},
    {"icmp-fragment", Fate::dropped, "an ICMP error about a fragment without ports"},
    {"echo", Fate::answered, "an echo request to a VIP that answers them"},
    {"limited", Fate::dropped, "too many answers or new flows lately, or a SYN of a live flow"},
    {"told-too-big", Fate::answered,
     "too big for its way with an outer header: the client is told"},
    {"returned", Fate::forwarded, "a reply of a backend of mode nat or fullnat, to its client"},
    {"no-port", Fate::dropped, "no free source port was found for a new flow of mode fullnat"},
    {"no-flow", Fate::dropped, "an ICMP error about a flow of mode fullnat that isn't known"},
    {"rejected", Fate::answered, "for a service without a backend: the client is told"},
    {"relayed-too-big", Fate::answered,
     "a router's packet-too-big about an outer header: the client is told"},
    {"no-backend-passed", Fate::passed,
     "the service has no backend that takes packets, and passes them on"},
    {"from-peer", Fate::passed,
     "for this host: another node has balanced it, or its socket is here"},
    {"others-frame", Fate::passed, "for a service, but in a frame for another station"},
}};

ReasonCounters sum(const Fd& map, std::uint32_t key) {
  ReasonCounters total{};
  for (const auto& cpu : per_cpu<lb_reason_counters>(map, key))
    for (std::size_t i = 0; i < total.size(); i++) total[i] += cpu.reason[i];
  return total;
}

}  // namespace

lb_counter& operator+=(lb_counter& sum, const lb_counter& more) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
  return sum;
}

ReasonCounters Counters::of_family(lb_family family) const {
  return sum(pins_.reason_counters(), family);
}

ReasonCounters Counters::of_service(std::uint32_t number) const {
  return sum(pins_.service_counters(), number);
}

lb_counter Counters::of_backend(std::uint32_t handle) const {
  lb_counter total{};
  if (pins_.is_image() && (!pins_.next_hops() || reset_.contains(handle))) return total;
  for (const auto& cpu : per_cpu<lb_next_hop>(pins_.next_hops(), handle)) total += cpu.forwarded;
  return total;
}

lb_exception_counters Counters::of_exceptions() const {
  lb_exception_counters total{};
  for (const auto& cpu : per_cpu<lb_exception_counters>(pins_.exception_counters(), 0)) {
    total.made += cpu.made;
    total.evicted += cpu.evicted;
    total.refused += cpu.refused;
  }
  return total;
}

void Counters::reset_service(std::uint32_t number) const {
  if (!pins_.is_image()) clear_per_cpu<lb_reason_counters>(pins_.service_counters(), number);
}

void Counters::reset_backend(std::uint32_t handle) const {
  if (pins_.is_image())
    reset_.insert(handle);
  else
    clear_per_cpu<lb_next_hop>(pins_.next_hops(), handle);
}

std::string_view reason_name(lb_reason reason) { return reasons[reason].name; }
std::string_view reason_text(lb_reason reason) { return reasons[reason].text; }
Fate reason_fate(lb_reason reason) { return reasons[reason].fate; }

}  // namespace xdplb
