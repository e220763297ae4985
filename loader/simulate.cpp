// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/simulate.h"

#include <iomanip>
#include <iostream>
#include <sstream>

#include "loader/cli.h"
#include "loader/output.h"
#include "loader/plan_output.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

// "+11.5 %"
std::string more(double ratio) {
  std::ostringstream text;
  text << std::showpos << std::fixed << std::setprecision(1) << ratio * 100 << " %";
  return text.str();
}

std::string part(double ratio) {
  auto text = more(ratio);
  return text.substr(text.starts_with('+') ? 1 : 0);
}

Json outcome_json(const Outcome& outcome) {
  Json services = Json::array();
  for (const auto& one : outcome.services)
    services.push_back({{"service", one.id.to_string()},
                        {"slots", one.slots},
                        {"moved", one.moved},
                        {"needless", one.needless},
                        {"broken", one.broken},
                        {"changed", one.changed},
                        {"unseen", one.unseen},
                        {"overload", one.overload},
                        {"growth", one.growth},
                        {"served", one.served}});
  return {{"event", outcome.event.text},
          {"nodes", outcome.nodes},
          {"rerouted", outcome.rerouted},
          {"node_growth", outcome.node_growth},
          {"services", services}};
}

void print(const Outcome& outcome) {
  std::cout << outcome.event.text << ": " << outcome.nodes
            << (outcome.nodes == 1 ? " node" : " nodes");
  if (outcome.rerouted != 0)
    std::cout << ", " << part(outcome.rerouted) << " of all flows come to another, each has "
              << more(outcome.node_growth);
  std::cout << "\n\n";
  TextTable table;
  table.row({"Service", "Moved", "Needless", "Broken", "Unseen", "Overload", "Growth"});
  table.rule();
  for (const auto& one : outcome.services)
    table.row({one.id.to_string() + (one.served ? "" : " (served by none)"),
               percent(one.moved, one.slots), percent(one.needless, one.slots),
               percent(one.broken, one.slots), part(one.unseen), more(one.overload),
               more(one.growth)});
  if (table.empty()) table.row({"<No services>"});
  table.print();
  std::cout << "\n";
}

unsigned read_nodes(const Command& command) {
  const auto text = command.get("nodes").value_or("1");
  const auto nodes = parse_number(text, 1, max_nodes);
  if (!nodes)
    throw Error("--nodes '" + text + "' is not a number from 1 to " + std::to_string(max_nodes));
  return static_cast<unsigned>(*nodes);
}

}  // namespace

int run_simulate(const Arguments& arguments) {
  Command command("simulate", "Shows what events would do to flows; needs no privileges.", "FILE");
  command.repeated("event,e", "EVENT", "what happens, one after another within an epoch")
      .option("nodes", "N", "how many nodes share the flows by ECMP; 1 by default")
      .epilogue("Events: add=BACKEND[,WEIGHT], weight=BACKENDS,WEIGHT, remove=, drain=, down=,\n"
                "up=BACKENDS, node-down=NUMBER, node-up; BACKENDS may be ADDRESS/PREFIX.");
  if (!command.parse(arguments)) return 0;
  const auto nodes = read_nodes(command);
  std::vector<Event> events;
  for (const auto& text : command.all("event")) events.push_back(Event::parse(text));
  if (events.empty())
    throw Error("simulate: no event is given", "'xdp-lb simulate --help' lists them");
  const auto config = read_config(command.parameters()[0]);
  const auto outcomes = simulate(config, nodes, events);
  Notes notes;
  if (!config.cluster_key)
    notes.emplace_back("the file has no cluster-key: these are tables like those that run");
  if (command.json()) {
    Json json{{"events", Json::array()}, {"notes", notes}};
    for (const auto& outcome : outcomes) json["events"].push_back(outcome_json(outcome));
    print_json(json);
    return 0;
  }
  for (const auto& outcome : outcomes) print(outcome);
  print_notes(notes, false);
  return 0;
}

}  // namespace xdplb
