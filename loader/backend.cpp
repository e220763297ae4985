// SPDX-License-Identifier: GPL-2.0-only
#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/upgrade.h"

namespace xdplb {

namespace {

Command& with_backend_options(Command& command) {
  return command
      .option("weight,w", "WEIGHT", "share relative to others, 1 by default, up to 65535; 0 drains")
      .option("forward", choices<Forward>() + "|service",
              "another forwarding mode than the service's; 'service' goes back to that")
      .option("next-hop", "MAC%IFNAME|kernel",
              "where to send its packets, instead of asking the kernel; 'kernel' asks it again");
}

BackendChange read_backend_change(const Command& command) {
  BackendChange change;
  if (const auto text = command.get("weight")) {
    const auto weight = parse_number(*text, 0, max_weight);
    if (!weight)
      throw Error("weight '" + *text + "' is not a number from 0 to " + std::to_string(max_weight));
    change.weight = static_cast<unsigned>(*weight);
  }
  if (const auto text = command.get("forward")) {
    const auto forward = parse_forward(*text);
    if (!forward && *text != "service")
      throw Error("forwarding mode '" + *text + "' is neither " + alternatives<Forward>() +
                  " nor service");
    change.forward = forward;
  }
  if (const auto text = command.get("next-hop"))
    change.hop = *text == "kernel" ? lb_hop{} : resolve(interfaces(), StaticHop::parse(*text));
  return change;
}

}  // namespace

int run_backend_add(const Arguments& arguments) {
  Command command("backend add", "Adds a backend to a service.", "VIP:PORT/PROTO ADDRESS[:PORT]");
  with_backend_options(command).epilogue(
      "Example: xdp-lb backend add 192.0.2.10:80/tcp 10.0.0.1 -w 10");
  if (!command.parse(arguments)) return 0;
  const auto id = ServiceId::parse(command.parameters()[0]);
  const auto backend = BackendId::parse(command.parameters()[1]);
  const auto change = read_backend_change(command);
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  State state(pins);
  const auto member = state.check_new_backend(id, backend, change);
  std::vector wanted{WantedService{id, state.service(id), {}, {{member, change}}}};
  prepare_backends(pins, state, wanted);
  state.add_backend(id, backend, wanted[0].backends[0].change);
  print_notes(attend_change(pins, state, id, backend), command.json());
  return 0;
}

int run_backend_set(const Arguments& arguments) {
  Command command("backend set", "Changes a backend of a service.",
                  "VIP:PORT/PROTO ADDRESS[:PORT]");
  with_backend_options(command);
  if (!command.parse(arguments)) return 0;
  const auto id = ServiceId::parse(command.parameters()[0]);
  const auto backend = BackendId::parse(command.parameters()[1]);
  const auto change = read_backend_change(command);
  if (!change.weight && !change.hop && !change.forward)
    throw Error("backend set: nothing to set", "give --weight, --forward or --next-hop");
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  State state(pins);
  state.check_change(id, backend, change);
  const auto service = state.service(id);
  const auto before = state.find_backend(service, backend);
  if (before && (change.forward || change.hop)) {
    const auto forward = change.forward ? change.mode(service.forward) : before->forward;
    const auto hop = change.hop ? change.static_hop() : before->hop;
    const auto all = interfaces();
    require_mtu(all, id, backend, forward, hop);
    if (is_tunnel(forward)) open_way(all, pins, state, *before, hop);
  }
  state.set_backend(id, backend, change);
  print_notes(attend_change(pins, state, id, backend), command.json());
  return 0;
}

int run_backend_del(const Arguments& arguments) {
  Command command("backend del", "Deletes a backend of a service, once no flow of it is left.",
                  "VIP:PORT/PROTO ADDRESS[:PORT]");
  command.flag("now", "at once: its flows move to others")
      .epilogue("A later command finishes it, as 'xdp-lb settle' does.");
  if (!command.parse(arguments)) return 0;
  const auto id = ServiceId::parse(command.parameters()[0]);
  const auto backend = BackendId::parse(command.parameters()[1]);
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  State state(pins);
  state.delete_backend(id, backend, command.has("now") ? Removal::now : Removal::drained);
  print_notes(attend_change(pins, state, id, backend), command.json());
  return 0;
}

int run_backend_list(const Arguments& arguments) {
  Command command("backend list", "Lists the backends of a service, or of all.",
                  "[VIP:PORT/PROTO]");
  if (!command.parse(arguments)) return 0;
  const PinLock lock(command.pin_path(), Access::read);
  const Pins pins(command.pin_path(), Access::read);
  const State state(pins);
  auto services = state.services();
  if (!command.parameters().empty())
    services = {state.service(ServiceId::parse(command.parameters()[0]))};
  TextTable table;
  table.row(
      {"Service", "Backend", "Forward", "Weight", "State", "Slots", "Share", "Flows", "Next hop"});
  table.rule();
  Json json = Json::array();
  const auto epochs = state.epochs();
  const auto members = state.members();
  for (const auto& service : services) {
    const auto slots = state.slots_of(service);
    for (const auto& backend : members[service.number]) {
      const auto count = slots[backend.handle];
      table.row({service.id.to_string(), backend.id.to_string(),
                 std::string(to_string(backend.forward)), std::to_string(backend.weight),
                 std::string(to_string(backend.state)), std::to_string(count),
                 percent(count, service.slots), flows_text(epochs.backends[backend.handle]),
                 hop_text(backend.hop)});
      json.push_back(to_json(backend, count, epochs.backends[backend.handle]));
      json.back()["service"] = service.id.to_string();
    }
  }
  command.json() ? print_json(json) : table.print();
  return 0;
}

}  // namespace xdplb
