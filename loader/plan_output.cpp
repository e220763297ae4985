// SPDX-License-Identifier: GPL-2.0-only
#include "loader/plan_output.h"

#include <algorithm>
#include <iostream>

namespace xdplb {

namespace {

std::string_view name_of(Planned what) {
  switch (what) {
    case Planned::added:
      return "added";
    case Planned::removed:
      return "removed";
    case Planned::changed:
      return "changed";
    default:
      return "same";
  }
}

std::string name_of(const std::optional<BackendId>& backend) {
  return backend ? backend->to_string() : "none";
}

std::string share_text(const ServicePlan& service, unsigned slots) {
  return std::to_string(slots) + " of " + std::to_string(service.slots) + " slots (" +
         percent(slots, service.slots) + ")";
}

void print_backend(const ServicePlan& service, const BackendPlan& backend) {
  std::string text;
  if (backend.what == Planned::added || backend.what == Planned::removed)
    text = ": " + std::string(name_of(backend.what));
  for (const auto& change : backend.changes) text += (text.empty() ? ": " : ", ") + change;
  if (backend.before != backend.after)
    text += (text.empty() ? ": share " : ", share ") + percent(backend.before, service.slots) +
            " -> " + percent(backend.after, service.slots);
  if (!text.empty()) std::cout << "  backend " << backend.id.to_string() << text << "\n";
}

void print_service(const ServicePlan& service) {
  std::cout << "Service " << service.id.to_string() << ": " << name_of(service.what) << "\n";
  for (const auto& change : service.changes) std::cout << "  " << change << "\n";
  for (const auto& backend : service.backends) print_backend(service, backend);
  if (service.what == Planned::added) return;
  if (service.new_hash) std::cout << "  another hash: any flow may move, at once\n";
  std::cout << "  moves " << (service.new_hash ? "about " : "")
            << share_text(service, service.moved_slots()) << ", and " << service.moved_flows()
            << " remembered flows\n";
  for (const auto& move : service.moves)
    std::cout << "    " << name_of(move.from) << " -> " << name_of(move.to) << ": "
              << share_text(service, move.slots) << ", " << move.flows << " flows\n";
}

Json backend_json(const BackendPlan& backend) {
  return {{"backend", backend.id.to_string()},
          {"what", name_of(backend.what)},
          {"changes", backend.changes},
          {"slots_before", backend.before},
          {"slots_after", backend.after}};
}

Json service_json(const ServicePlan& service) {
  Json json{{"service", service.id.to_string()},
            {"what", name_of(service.what)},
            {"changes", service.changes},
            {"slots", service.slots},
            {"new_hash", service.new_hash},
            {"moved_slots", service.moved_slots()},
            {"moved_flows", service.moved_flows()},
            {"backends", Json::array()},
            {"moves", Json::array()}};
  for (const auto& backend : service.backends) json["backends"].push_back(backend_json(backend));
  for (const auto& move : service.moves)
    json["moves"].push_back({{"from", name_of(move.from)},
                             {"to", name_of(move.to)},
                             {"slots", move.slots},
                             {"flows", move.flows}});
  return json;
}

}  // namespace

Json to_json(const Plan& plan) {
  Json json{{"services", Json::array()},
            {"load", plan.load},
            {"unload", plan.unload},
            {"new_peers", peers_json(plan.new_peers)},
            {"old_peers", peers_json(plan.old_peers)},
            {"new_key", plan.new_key},
            {"unfinished", plan.unfinished},
            {"notes", plan.notes}};
  for (const auto& service : plan.services) json["services"].push_back(service_json(service));
  return json;
}

void print_plan(const Plan& plan) {
  if (plan.unfinished) std::cout << "A change that was killed: completed\n";
  if (plan.new_key) std::cout << "Cluster key: another\n";
  for (const auto& name : plan.load) std::cout << "Interface " << name << ": load\n";
  for (const auto& service : plan.services) print_service(service);
  for (const auto& peer : plan.new_peers) std::cout << "Peer " << to_string(peer) << ": added\n";
  for (const auto& peer : plan.old_peers) std::cout << "Peer " << to_string(peer) << ": removed\n";
  for (const auto& name : plan.unload) std::cout << "Interface " << name << ": unload\n";
  if (plan.is_empty()) std::cout << "Nothing to do.\n";
  print_notes(plan.notes, false);
}

Config read_config(const std::string& file) {
  return parse_config(read_file(file, "give the path of a file that is as in xdp-lb.toml(5)",
                                "the configuration file "),
                      file);
}

}  // namespace xdplb
