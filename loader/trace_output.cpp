// SPDX-License-Identifier: GPL-2.0-only
#include "loader/trace_output.h"

#include <algorithm>
#include <array>
#include <iostream>

#include "plugin/hex.h"

namespace xdplb {

namespace {

std::string packet_text(const Traced& traced) {
  if (traced.protocol.empty()) return "not IP";
  return traced.from + " > " + traced.to + " " + traced.protocol;
}

std::string handle_text(const Tracer& tracer, std::uint32_t handle) {
  if (handle == 0) return "none";
  const auto backend = tracer.backend(handle);
  return backend ? backend->id.to_string() : "one that is gone";
}

std::string slot_state(const TracedSlot& slot) {
  if (slot.slot.current == slot.slot.previous) return "clean";
  return slot.phase_1 != 0 ? "phase-1" : "phase-2";
}

std::string slot_text(const Tracer& tracer, const TracedSlot& slot) {
  auto text = std::to_string(slot.number) + " of " + std::to_string(slot.slots) + ": " +
              handle_text(tracer, slot.slot.current);
  if (slot_state(slot) == "clean") return text;
  if (slot.phase_1 == 0) return text + "; it has changed: flows that are remembered stay elsewhere";
  return text + "; it has changed: flows that aren't known stay with " +
         handle_text(tracer, slot.slot.previous) + " for " + std::to_string(slot.phase_1) + " s";
}

std::string remembered_text(const Tracer& tracer, const TracedSlot& slot) {
  if (!slot.remembered) return slot_state(slot) == "clean" ? "no: the slot has not changed" : "no";
  const auto& flow = *slot.remembered;
  if (!flow.before) return "from this packet on, with " + handle_text(tracer, flow.backend);
  return handle_text(tracer, flow.backend) + ", last seen " + std::to_string(flow.age) +
         " s ago, by " + (flow.confirmed ? "several packets" : "one packet");
}

std::string hash_text(const TracedSlot& slot) { return "0x" + hex(slot.hash); }

std::string next_hop_text(const lb_next_hop& next) {
  if (next.reason == LB_HOP_LOCAL) return "this host's own stack";
  if (next.reason != 0)
    return "none (" + std::string(reason_name(static_cast<lb_reason>(next.reason))) + ")";
  auto text = hop_text(next.hop);
  if ((next.vlan & LB_VLAN_TAGGED) != 0 && next.vlan != LB_VLAN_KEEP)
    text += ", VLAN " + std::to_string(next.vlan & 0xfff);
  if (next.mtu != 0) text += ", MTU " + std::to_string(next.mtu);
  return text;
}

void print_line(const std::string& name, const std::string& value) {
  std::cout << name << ": " << std::string(12 - name.size(), ' ') << value << "\n";
}

// In the look of tcpdump -x.
void print_bytes(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t row = 16;
  for (std::size_t at = 0; at < bytes.size(); at += row) {
    const std::array offset{static_cast<std::uint8_t>(at >> 8), static_cast<std::uint8_t>(at)};
    std::cout << "  0x" << hex(offset) << ": ";
    for (std::size_t i = at; i < std::min(at + row, bytes.size()); i += 2)
      std::cout << " " << hex(bytes.subspan(i, std::min<std::size_t>(2, bytes.size() - i)));
    std::cout << "\n";
  }
}

Json next_hop_json(const lb_next_hop& next) {
  if (next.reason == LB_HOP_LOCAL) return {{"local", true}};
  Json json{{"local", false}, {"hop", hop_text(next.hop)}};
  if ((next.vlan & LB_VLAN_TAGGED) != 0 && next.vlan != LB_VLAN_KEEP)
    json["vlan"] = next.vlan & 0xfff;
  if (next.mtu != 0) json["mtu"] = next.mtu;
  return json;
}

Json slot_json(const Tracer& tracer, const TracedSlot& slot) {
  Json json{{"number", slot.number},
            {"of", slot.slots},
            {"hash", hash_text(slot)},
            {"state", slot_state(slot)},
            {"current", handle_text(tracer, slot.slot.current)}};
  if (slot.phase_1 != 0) {
    json["previous"] = handle_text(tracer, slot.slot.previous);
    json["seconds"] = slot.phase_1;
  }
  json["remembered"] = nullptr;
  if (const auto& flow = slot.remembered)
    json["remembered"] = {{"backend", handle_text(tracer, flow->backend)},
                          {"before", flow->before},
                          {"age", flow->age},
                          {"confirmed", flow->confirmed}};
  return json;
}

}  // namespace

void print_trace(const Tracer& tracer, const Traced& traced, std::size_t number, bool bytes) {
  if (number != 1) std::cout << "\n";
  print_line("Packet", std::to_string(number) + ": " + packet_text(traced));
  print_line("Service", traced.service ? traced.service->id.to_string() : "none");
  if (const auto& slot = traced.slot) {
    print_line("Slot", slot_text(tracer, *slot));
    print_line("Hash", hash_text(*slot));
    print_line("Remembered", remembered_text(tracer, *slot));
  }
  if (traced.from_peer) print_line("Sent by", "a peer");
  if (traced.second_chance)
    print_line("Socket", "none here: it goes on by a second chance");
  else if (traced.reason == LB_FROM_PEER && !traced.from_peer)
    print_line("Socket", "here: it stays, though its slot is another's");
  if (const auto& backend = traced.backend) {
    print_line("Backend", backend->id.to_string() + ", " + std::string(to_string(backend->state)));
    print_line("Mode", std::string(to_string(backend->forward)));
  }
  if (traced.next_hop) print_line("Next hop", next_hop_text(*traced.next_hop));
  print_line("Reason", std::string(reason_name(traced.reason)) + ": " +
                           std::string(reason_text(traced.reason)));
  print_line("Verdict", std::string(verdict_name(traced.verdict)));
  if (traced.is_lost() || !bytes) return;
  print_line("Bytes out", std::to_string(traced.out.size()));
  print_bytes(traced.out);
}

Json to_json(const Tracer& tracer, const Traced& traced, std::size_t number) {
  Json json{{"packet", number}};
  if (!traced.protocol.empty()) {
    json["from"] = traced.from;
    json["to"] = traced.to;
    json["protocol"] = traced.protocol;
  }
  if (traced.service) json["service"] = traced.service->id.to_string();
  if (traced.slot) json["slot"] = slot_json(tracer, *traced.slot);
  json["from_peer"] = traced.from_peer;
  json["second_chance"] = traced.second_chance;
  if (const auto& backend = traced.backend) {
    json["backend"] = backend->id.to_string();
    json["state"] = to_string(backend->state);
    json["forward"] = to_string(backend->forward);
  }
  if (traced.next_hop && (traced.next_hop->reason == 0 || traced.next_hop->reason == LB_HOP_LOCAL))
    json["next_hop"] = next_hop_json(*traced.next_hop);
  json["reason"] = reason_name(traced.reason);
  json["verdict"] = verdict_name(traced.verdict);
  if (!traced.is_lost()) json["out"] = hex(traced.out);
  return json;
}

}  // namespace xdplb
