// SPDX-License-Identifier: GPL-2.0-only
#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/upgrade.h"

namespace xdplb {

namespace {

constexpr unsigned long max_port = 65535;
constexpr unsigned long max_prefix = 128;

std::optional<bool> read_switch(const Command& command, const std::string& name) {
  const auto text = command.get(name);
  if (!text) return std::nullopt;
  if (*text != "on" && *text != "off") throw Error(name + " '" + *text + "' is neither on nor off");
  return *text == "on";
}

// One of the option's words; name: what it is in the message, if not the option's own name.
template <typename Choice>
std::optional<Choice> read_choice(const Command& command, const std::string& option,
                                  std::optional<Choice> (*parse)(std::string_view),
                                  const std::string& name = {}) {
  const auto text = command.get(option);
  if (!text) return std::nullopt;
  const auto choice = parse(*text);
  if (!choice)
    throw Error((name.empty() ? option : name) + " '" + *text + "' is neither " +
                alternatives<Choice>());
  return choice;
}

// Those of the data path.
void read_options(const Command& command, ServiceChange& change) {
  if (const auto text = command.get("gue-port")) {
    const auto port = parse_number(*text, 1, max_port);
    if (!port) throw Error("--gue-port '" + *text + "' is not a port from 1 to 65535");
    change.gue_port = static_cast<std::uint16_t>(*port);
  }
  change.fragments = read_choice(command, "fragments", parse_fragments);
  if (const auto text = command.get("affinity")) {
    const auto bits = *text == "flow" ? std::optional(0UL) : parse_number(*text, 1, max_prefix);
    if (!bits) throw Error("affinity '" + *text + "' is neither flow nor a prefix length");
    change.source_prefix = static_cast<unsigned>(*bits);
  }
  change.ping = read_switch(command, "ping");
  if (const auto text = command.get("pool"))
    change.pool = *text == "none" ? Pool{} : Pool::parse(*text);
}

// What becomes of flows when backends change.
void read_epoch_options(const Command& command, ServiceChange& change) {
  change.remember = read_choice(command, "state", parse_remember);
  if (const auto text = command.get("epoch")) {
    const auto seconds = parse_number(*text, 1, max_epoch);
    if (!seconds)
      throw Error("epoch '" + *text + "' is not a number of seconds from 1 to " +
                  std::to_string(max_epoch));
    change.epoch = static_cast<unsigned>(*seconds);
  }
  change.on_down = read_choice(command, "on-down", parse_on_down);
  change.last_resort = read_choice(command, "last-resort", parse_last_resort);
  change.second_chance = read_switch(command, "second-chance");
}

ServiceChange read_service_change(const Command& command) {
  ServiceChange change;
  change.forward = read_choice(command, "forward", parse_forward, "forwarding mode");
  change.balance = read_choice(command, "balance", parse_balance);
  if (const auto text = command.get("slots")) {
    const auto slots = parse_number(*text, 0, max_slots);
    if (!slots)
      throw Error("--slots '" + *text + "' is not a number up to " + std::to_string(max_slots));
    change.slots = static_cast<unsigned>(*slots);
  }
  read_options(command, change);
  read_epoch_options(command, change);
  return change;
}

bool changes_something(const ServiceChange& change) {
  return change.forward || change.balance || change.gue_port || change.fragments ||
         change.source_prefix || change.ping || change.pool || change.remember || change.epoch ||
         change.on_down || change.last_resort || change.second_chance;
}

Command& with_service_options(Command& command) {
  return command
      .option("forward", choices<Forward>(),
              "how packets reach the backends: l2 (default); in another packet: ipip, gue, gre; "
              "rewritten: nat, fullnat")
      .option("gue-port", "PORT", "the backends' port for mode gue; 6080 by default")
      .option("pool", "FIRST[-LAST]|none",
              "source addresses for mode fullnat, at most 256; 'none' takes them away")
      .option("fragments", choices<Fragments>(),
              "of fragments: drop (default), pass, or hash3: all packets of a source, fragments "
              "too, go to one backend")
      .option("affinity", "flow|LENGTH",
              "all packets from a prefix of that length go to one backend; flow (default): those "
              "of a flow")
      .option("ping", "on|off", "answer echo requests to the VIP; off by default")
      .option(
          "state", choices<Remember>(),
          "which flows are remembered: changed (default): those of slots that have changed, for "
          "an epoch; always: all; none: a change moves flows at once")
      .option("epoch", "SECONDS",
              "how long after a change old flows may show themselves, and a silent one is "
              "remembered; 900 by default, for UDP 120")
      .option(
          "second-chance", "on|off",
          "a connection of which this host has no socket goes to the other backend of its slot; "
          "off by default")
      .option("on-down", choices<OnDown>(),
              "of the flows of a backend that is down: rehash (default), to others, or keep")
      .option("last-resort", choices<LastResort>(),
              "of packets when no backend takes new flows: drop (default), reject: with RST or "
              "port unreachable, pass, or all: to the backends all the same")
      .option("balance", choices<Balance>(),
              "slack: shares at most 5 % above fair (default); exact: to a slot; off: as they "
              "fall, and a change moves only the flows that it must");
}

// For those of the service's backends that will have another forwarding mode.
void prepare_ways(const Pins& pins, State& state, const ServiceId& id, Forward forward) {
  auto changed = state.backends(state.service(id).number);
  std::erase_if(changed, [](const auto& backend) { return backend.own_forward; });
  const auto all = interfaces();
  for (const auto& backend : changed) require_mtu(all, id, backend.id, forward, backend.hop);
  if (!is_tunnel(forward)) return;
  for (const auto& backend : changed) open_way(all, pins, state, backend, backend.hop);
}

}  // namespace

int run_service_add(const Arguments& arguments) {
  Command command("service add", "Adds a service.", "VIP:PORT/PROTO");
  with_service_options(command)
      .option("slots", "N",
              "size of the table, a power of two from 256 to 1048576; 16384 by "
              "default; it can't be changed later")
      .epilogue("Example: xdp-lb service add 192.0.2.10:80/tcp");
  if (!command.parse(arguments)) return 0;
  const auto id = ServiceId::parse(command.parameters()[0]);
  const auto change = read_service_change(command);
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  State(pins).add_service(id, change);
  print_notes({}, command.json());
  return 0;
}

int run_service_set(const Arguments& arguments) {
  Command command("service set", "Changes options of a service.", "VIP:PORT/PROTO");
  with_service_options(command);
  if (!command.parse(arguments)) return 0;
  const auto id = ServiceId::parse(command.parameters()[0]);
  const auto change = read_service_change(command);
  if (!changes_something(change))
    throw Error("service set: nothing to set", "'xdp-lb service set --help' lists the options");
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  State state(pins);
  state.check_change(id, change);
  if (change.forward) prepare_ways(pins, state, id, *change.forward);
  state.set_service(id, change);
  print_notes(attend_backends(pins, state, state.service(id).number, {}), command.json());
  return 0;
}

int run_service_del(const Arguments& arguments) {
  Command command("service del", "Deletes a service and its backends at once.", "VIP:PORT/PROTO");
  if (!command.parse(arguments)) return 0;
  const auto id = ServiceId::parse(command.parameters()[0]);
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  State state(pins);
  state.delete_service(id);
  print_notes(release_gone(state), command.json());
  return 0;
}

int run_service_list(const Arguments& arguments) {
  Command command("service list", "Lists the services.", "");
  if (!command.parse(arguments)) return 0;
  const PinLock lock(command.pin_path(), Access::read);
  const Pins pins(command.pin_path(), Access::read);
  const State state(pins);
  TextTable table;
  table.row({"Service", "Forward", "Balance", "Slots", "Backends"});
  table.rule();
  Json json = Json::array();
  const auto members = state.members();
  for (const auto& service : state.services()) {
    const auto backends = members[service.number].size();
    table.row({service.id.to_string(), std::string(to_string(service.forward)),
               std::string(to_string(service.balance)), std::to_string(service.slots),
               std::to_string(backends)});
    json.push_back(to_json(service));
    json.back()["backends"] = backends;
  }
  command.json() ? print_json(json) : table.print();
  return 0;
}

}  // namespace xdplb
