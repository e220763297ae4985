// SPDX-License-Identifier: GPL-2.0-only
#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/component.h"
#include "plugin/error.h"

namespace xdplb {

int run_unload(const Arguments& arguments) {
  Command command("unload",
                  "Unloads the component from interfaces; with the last one, its maps go as well.",
                  "[IFNAME...]");
  command.flag("all,a", "from all interfaces of this network namespace")
      .flag("keep-maps,k", "keep services, backends and counters for the next load");
  if (!command.parse(arguments)) return 0;
  if (command.has("all") == !command.parameters().empty())
    throw Error("unload: give either interfaces or --all",
                "'xdp-lb status' shows where the component is");

  const auto notes = unload_component(
      command.parameters(), {command.pin_path(), command.has("all"), command.has("keep-maps")});
  print_notes(notes, command.json());
  return 0;
}

}  // namespace xdplb
