// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/peers.h"

#include <algorithm>
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/error.h"
#include "plugin/upgrade.h"

namespace xdplb {

namespace {

// Peers as they become of those that there are.
template <typename Change>
int change_peers(Command& command, const Arguments& arguments, Change change) {
  if (!command.parse(arguments)) return 0;
  const auto peer = parse_peer(command.parameters()[0]);
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  auto peers = peers_of(pins);
  change(peers, peer);
  set_peers(pins, peers);
  print_notes({}, command.json());
  return 0;
}

}  // namespace

int run_peer_add(const Arguments& arguments) {
  Command command("peer add", "Adds a node whose packets have been balanced already.",
                  "MAC|ADDRESS");
  return change_peers(command, arguments, [](std::vector<Peer>& peers, const Peer& peer) {
    if (std::ranges::find(peers, peer) != peers.end())
      throw Error("peer " + to_string(peer) + " exists already", "'xdp-lb peer list' lists them");
    peers.push_back(peer);
  });
}

int run_peer_del(const Arguments& arguments) {
  Command command("peer del", "Deletes such a node.", "MAC|ADDRESS");
  return change_peers(command, arguments, [](std::vector<Peer>& peers, const Peer& peer) {
    if (std::erase(peers, peer) == 0)
      throw Error("there is no peer " + to_string(peer), "'xdp-lb peer list' lists them");
  });
}

int run_peer_list(const Arguments& arguments) {
  Command command("peer list", "Lists the nodes whose packets have been balanced already.", "");
  if (!command.parse(arguments)) return 0;
  const PinLock lock(command.pin_path(), Access::read);
  const auto peers = peers_of(Pins(command.pin_path(), Access::read));
  if (command.json())
    print_json(peers_json(peers));
  else
    for (const auto& peer : peers) std::cout << to_string(peer) << "\n";
  return 0;
}

}  // namespace xdplb
