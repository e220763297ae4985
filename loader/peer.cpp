// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/peers.h"

#include <algorithm>
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

// Peers as they become of those that there are.
template <typename Change>
int change_peers(Command& command, const Arguments& arguments, Change change) {
  if (!command.parse(arguments)) return 0;
  const auto mac = parse_mac(command.parameters()[0]);
  const PinLock lock(command.pin_path(), Access::change);
  const Pins pins(command.pin_path(), Access::change);
  auto peers = peers_of(pins);
  change(peers, mac);
  set_peers(pins, peers);
  print_notes({}, command.json());
  return 0;
}

}  // namespace

int run_peer_add(const Arguments& arguments) {
  Command command("peer add", "Adds a node whose frames have been balanced already.", "MAC");
  return change_peers(command, arguments, [](std::vector<Mac>& peers, const Mac& mac) {
    if (std::ranges::find(peers, mac) != peers.end())
      throw Error("peer " + to_string(mac) + " exists already", "'xdp-lb peer list' lists them");
    peers.push_back(mac);
  });
}

int run_peer_del(const Arguments& arguments) {
  Command command("peer del", "Deletes such a node.", "MAC");
  return change_peers(command, arguments, [](std::vector<Mac>& peers, const Mac& mac) {
    if (std::erase(peers, mac) == 0)
      throw Error("there is no peer " + to_string(mac), "'xdp-lb peer list' lists them");
  });
}

int run_peer_list(const Arguments& arguments) {
  Command command("peer list", "Lists the nodes whose frames have been balanced already.", "");
  if (!command.parse(arguments)) return 0;
  const PinLock lock(command.pin_path(), Access::read);
  const auto peers = peers_of(Pins(command.pin_path(), Access::read));
  if (command.json())
    print_json(macs_json(peers));
  else
    for (const auto& mac : peers) std::cout << to_string(mac) << "\n";
  return 0;
}

}  // namespace xdplb
