// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/upgrade.h"

#include <cstdlib>
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"

namespace xdplb {

namespace {

Json to_json(const Component& program) {
  return {{"name", program.name}, {"id", program.id}, {"tag", program.tag}};
}

Json to_json(const Upgrade& upgrade) {
  Json interfaces = Json::array();
  for (const auto& one : upgrade.interfaces)
    interfaces.push_back({{"interface", one.interface},
                          {"upgraded", one.changed()},
                          {"before", to_json(one.before)},
                          {"now", to_json(one.now)}});
  return {{"interfaces", interfaces}, {"notes", upgrade.notes}};
}

std::string text_of(const Component& program) {
  return program.name + " (id " + std::to_string(program.id) + ", tag " + program.tag + ")";
}

}  // namespace

int run_upgrade(const Arguments& arguments) {
  Command command("upgrade",
                  "Runs another version where the component runs, or on the interfaces named.",
                  "[IFNAME...]");
  command.option("object,o", "OBJECT", "the BPF object file, if not the installed one")
      .flag("force", "also where the object's programs run already");
  if (!command.parse(arguments)) return 0;

  ::unsetenv("LIBXDP_SKIP_DISPATCHER");
  const auto upgrade = upgrade_component(
      command.parameters(), {command.pin_path(), command.get("object"), command.has("force")});
  if (command.json()) {
    print_json(to_json(upgrade));
    return 0;
  }
  for (const auto& one : upgrade.interfaces)
    if (one.changed())
      std::cout << one.interface << ": " << text_of(one.now) << " in place of "
                << text_of(one.before) << "\n";
    else
      std::cout << one.interface << ": " << text_of(one.now) << " is up to date already\n";
  print_notes(upgrade.notes, false);
  return 0;
}

}  // namespace xdplb
