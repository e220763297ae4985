// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/members.h"
#include "plugin/memory.h"

namespace xdplb {

namespace {

bool runs(const Chain& chain) {
  const auto* ours = chain.ours();
  return ours != nullptr && ours->running;
}

std::string remark(const Chain& chain) {
  if (chain.kind == Chain::Kind::unpinned) return "<pins lost: passes everything>";
  return chain.kind == Chain::Kind::single ? "<no chain>" : "";
}

void add_place(TextTable& table, const Place& place) {
  const auto& [interface, chain, problem, failure] = place;
  if (!problem.empty() || chain.kind == Chain::Kind::empty) {
    table.row({interface.name, "", problem.empty() ? "<No XDP program loaded!>" : problem});
    return;
  }
  table.row({interface.name, "", chain.main.name, std::string(to_string(chain.mode)),
             std::to_string(chain.main.id), chain.main.tag, remark(chain)});
  for (const auto& component : chain.components)
    table.row({" =>", std::to_string(component.priority), component.name, "",
               std::to_string(component.id), component.tag,
               component.actions + (component.running ? "" : " <not running>")});
}

// In xdp-loader's look: the dispatcher, and below it what it calls, in order.
void print_chains(const std::vector<Place>& all) {
  TextTable table;
  table.row({"Interface", "Prio", "Program name", "Mode", "ID", "Tag", "Chain actions"});
  table.rule();
  for (const auto& place : all) add_place(table, place);
  if (table.empty()) table.row({"-", "", "<No XDP program loaded!>"});
  table.print();
}

Json component_json(const Component& component) {
  return {{"name", component.name},       {"id", component.id},
          {"tag", component.tag},         {"priority", component.priority},
          {"actions", component.actions}, {"ours", component.ours},
          {"running", component.running}};
}

Json chains_json(const std::vector<Place>& all) {
  Json json = Json::array();
  for (const auto& [interface, chain, problem, failure] : all) {
    Json place{{"interface", interface.name}, {"running", runs(chain)}};
    if (!problem.empty()) place["problem"] = problem;
    if (chain.kind != Chain::Kind::empty) {
      place["mode"] = to_string(chain.mode);
      place["main"] = component_json(chain.main);
      place["chained"] = chain.kind == Chain::Kind::dispatcher;
      place["components"] = Json::array();
      for (const auto& component : chain.components)
        place["components"].push_back(component_json(component));
    }
    json.push_back(place);
  }
  return json;
}

std::string remark(const Service& service, const std::vector<Backend>& backends) {
  if (!service.settled) return "unfinished change: any change completes it";
  const auto is_up = [](const auto& backend) { return backend.state == BackendState::up; };
  if (std::ranges::none_of(backends, is_up)) return "no backend takes new flows";
  if (are_coarse(service.slots, backends))
    return "a fair share is below 10 slots: shares are coarse";
  if (service.caps_bind) return "caps bind: a change may move a few more flows";
  return "";
}

// Slots that have changed, and how long flows have yet to be seen there.
std::string changed_text(const ServiceEpoch& epoch) {
  if (epoch.changed == 0) return "-";
  auto text = std::to_string(epoch.changed);
  if (epoch.phase_1 != 0) text += ", " + std::to_string(epoch.seconds) + " s";
  return text;
}

void print_services(const State& state, const Epochs& epochs) {
  TextTable table;
  table.row({"Service", "Forward", "Balance", "Slots", "Changed", "Backends", "Remark"});
  table.rule();
  const auto members = state.members();
  for (const auto& service : state.services()) {
    const auto& backends = members[service.number];
    table.row({service.id.to_string(), std::string(to_string(service.forward)),
               std::string(to_string(service.balance)), std::to_string(service.slots),
               changed_text(epochs.services[service.number]), std::to_string(backends.size()),
               remark(service, backends)});
  }
  if (table.empty()) table.row({"<No services>"});
  table.print();
}

Json services_json(const State& state, const Epochs& epochs) {
  Json json = Json::array();
  const auto members = state.members();
  for (const auto& service : state.services()) {
    const auto& backends = members[service.number];
    json.push_back(to_json(service));
    json.back()["backends"] = backends.size();
    const auto& epoch = epochs.services[service.number];
    json.back()["changed"] = {
        {"slots", epoch.changed}, {"phase_1", epoch.phase_1}, {"seconds", epoch.seconds}};
    json.back()["remark"] = remark(service, backends);
  }
  return json;
}

Json exceptions_json(const Epochs& epochs) {
  return {{"capacity", epochs.capacity},
          {"used", epochs.used},
          {"made", epochs.counters.made},
          {"evicted", epochs.counters.evicted},
          {"refused", epochs.counters.refused}};
}

void print_exceptions(const Epochs& epochs) {
  std::cout << "Flows remembered: " << epochs.used << " of " << epochs.capacity << " ("
            << epochs.counters.evicted << " evicted while young, " << epochs.counters.refused
            << " refused)\n";
}

Json memory_json(const std::vector<MapMemory>& memory) {
  Json json{{"bytes", 0}, {"maps", Json::object()}};
  std::uint64_t sum = 0;
  for (const auto& [map, bytes] : memory) {
    json["maps"][std::string(map)] = bytes;
    sum += bytes;
  }
  json["bytes"] = sum;
  return json;
}

void print_memory(const std::vector<MapMemory>& memory) {
  std::uint64_t bytes = 0;
  for (const auto& map : memory) bytes += map.bytes;
  std::cout << "Kernel memory of the maps: " << mebibytes(bytes) << "\n";
}

int print_all(const Command& command, const std::vector<Place>& all, const Pins& pins) {
  const State state(pins);
  const auto reasons = total_reasons(pins, state);
  const auto memory = map_memory(pins.path());
  const auto epochs = state.epochs();
  if (command.json()) {
    print_json({{"pin_path", pins.path()},
                {"map_abi", XDP_LB_ABI},
                {"generation", pins.meta().generation},
                {"memory", memory_json(memory)},
                {"interfaces", chains_json(all)},
                {"exceptions", exceptions_json(epochs)},
                {"services", services_json(state, epochs)},
                {"reasons", reasons_json(reasons)}});
    return 0;
  }
  std::cout << "CURRENT XDP-LB STATUS: (maps in " << pins.path() << ")\n\n";
  print_chains(all);
  std::cout << "\n";
  print_memory(memory);
  print_exceptions(epochs);
  std::cout << "\n";
  print_services(state, epochs);
  std::cout << "\n";
  print_reasons(reasons);
  return 0;
}

// Without our maps: what is there may tell why.
void print_chains_alone(const Command& command, const std::vector<Place>& all) {
  if (command.json())
    print_json({{"pin_path", command.pin_path()}, {"interfaces", chains_json(all)}});
  else
    print_chains(all);
}

}  // namespace

int run_status(const Arguments& arguments) {
  Command command("status", "Shows the chains, the services, and why packets left.", "[IFNAME...]");
  command.flag("check", "print nothing unless something is wrong; the exit status tells: 0 if the "
                        "component runs on all interfaces named, or on any if none is");
  if (!command.parse(arguments)) return 0;
  const PinLock lock(command.pin_path(), Access::read);
  const auto all = places(command.parameters(), command.pin_path());
  if (!has_maps(command.pin_path()) && !command.has("check")) print_chains_alone(command, all);
  const Pins pins(command.pin_path(), Access::read);
  if (!command.has("check")) return print_all(command, all, pins);

  const auto good = [](const Place& place) { return runs(place.chain); };
  const bool named = !command.parameters().empty();
  if (named ? std::ranges::all_of(all, good) : std::ranges::any_of(all, good)) return 0;
  std::string where;
  for (const auto& place : all)
    if (!good(place)) where += (where.empty() ? " on " : ", ") + place.interface.name;
  throw NotLoaded("xdp-lb doesn't run" + where, "'xdp-lb status' shows the chains");
}

}  // namespace xdplb
