// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/check_second.h"

#include <algorithm>

namespace xdplb {

namespace {

// Link addresses, but this host's own.
unsigned count_links(const std::vector<Peer>& peers, const std::vector<Interface>& own) {
  return static_cast<unsigned>(std::ranges::count_if(peers, [&](const auto& peer) {
    const auto* link = std::get_if<Mac>(&peer);
    return link != nullptr && std::ranges::find(own, *link, &Interface::mac) == own.end();
  }));
}

}  // namespace

SecondFacts second_facts(const std::vector<Backend>& backends, const std::vector<Peer>& peers,
                         const std::vector<Interface>& own) {
  SecondFacts facts;
  facts.links = count_links(peers, own);
  facts.full = std::ranges::max(count_peers(peers)) >= LB_PEERS;
  facts.peers = !peers.empty();
  const auto here = std::ranges::find_if(backends, &Backend::local);
  facts.here = here != backends.end();
  for (const auto& backend : backends) {
    const auto& address = backend.id.address;
    if (backend.local) continue;
    if (!is_tunnel(backend.forward))
      facts.others++;
    else if (std::ranges::find(peers, Peer{address}) == peers.end())
      facts.strangers.push_back(address);
    if (facts.here && (backend.forward != here->forward ||
                       (is_tunnel(backend.forward) && address.is_v4() != here->id.address.is_v4())))
      facts.unlike.push_back(address);
  }
  return facts;
}

Finding judge_second_chance(const std::string& service, const SecondFacts& facts) {
  if (!facts.here && facts.peers)
    return {Level::ok, service, "second chances: for its peers, since no backend is this host"};
  if (!facts.here)
    return {Level::warn, service, "has second chances, and none of its backends is this host",
            "xdp-lb service set " + service + " --second-chance off"};
  // As many as can be: the nodes that routers ask, in a site with more servers.
  if (!facts.strangers.empty() && !facts.full) {
    const auto stranger = facts.strangers.front().to_string();
    return {Level::warn, service,
            "backend " + stranger + " is no peer: what it sends here gets no second chance",
            "xdp-lb peer add " + stranger};
  }
  if (facts.links < facts.others && !facts.full)
    return {Level::warn, service,
            "has " + std::to_string(facts.others) + " backends of mode l2 elsewhere, and " +
                std::to_string(facts.links) +
                " link addresses are peers besides its own: what others send is balanced again",
            "give each one's, as 'xdp-lb peer add MAC'"};
  if (!facts.unlike.empty())
    return {Level::warn, service,
            "backend " + facts.unlike.front().to_string() +
                " has another mode or family than this host's: no packet goes on to it",
            "give all backends the same"};
  return {Level::ok, service, "second chances: its other backends are peers"};
}

}  // namespace xdplb
