// SPDX-License-Identifier: GPL-2.0-only
// Which flows events may break: of backends that die after others have got their slots, and those
// that come to other nodes. Against flows that are sent one by one, by slots as epoch.h changes
// them.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <random>
#include <tuple>

#include "plugin/epoch.h"
#include "plugin/error.h"
#include "plugin/members.h"
#include "tests/unit/simulated.h"

namespace xdplb::test {
namespace {

// A site of a few nodes, within one epoch. Handles are indexes of members, and 1.
class Site {
 public:
  static constexpr unsigned units = 12;  // of the range of the routers' hash: for 2 to 4 nodes
  static constexpr unsigned bits = min_table_bits;

  Site(const Config& config, unsigned nodes) : options_(config.services[0].options) {
    const auto& service = config.services[0];
    spec_ = {derive_flow_keys(*config.cluster_key, service.id.vip.bytes(), service.id.port, 6)
                 .table_seed,
             bits, options_.balance};
    for (const auto& backend : service.backends)
      members_.push_back({member_id(service.id, backend.id), backend.weight, BackendState::up});
    while (nodes_.size() < nodes) nodes_.push_back(++last_node_);
    for (const auto owner : owners()) slots_.push_back({owner, owner});
    begin_flows();
  }

  // Something that can happen, as an event.
  std::string happens(std::mt19937& random) {
    stage_++;
    if (random() % 3 == 0 && last_node_ > 1) return change_nodes(random);
    auto& member = members_[random() % members_.size()];
    const auto id = member.id.address.to_string();
    if (member.state == BackendState::leaving) {
      if (member.gone || random() % 2 == 0) {
        member = {member.id, 10, BackendState::up};
        return "add=" + id + ",10";
      }
      member.gone = true;
      return "down=" + id;
    }
    constexpr std::array names{"up=", "drain=", "down=", "remove="};
    constexpr std::array states{BackendState::up, BackendState::drain, BackendState::down,
                                BackendState::leaving};
    const auto what = random() % names.size();
    member.state = states[what];
    return names[what] + id;
  }

  // After it: what breaks, and what is another's than its slot's.
  struct Seen {
    unsigned broken = 0;   // slots
    unsigned changed = 0;  // slots
    double unseen = 0;     // at most such a part of the flows
  };
  Seen send_flows() {
    change_slots();
    Seen seen;
    std::vector<bool> broken(slots_.size()), changed(slots_.size());
    std::vector<unsigned> unseen(slots_.size() * stage_);
    std::erase_if(flows_, [&](Flow& flow) {
      if (deliver(flow)) {
        if (flow.handle != slots_[flow.slot].current) changed[flow.slot] = true;
        return false;
      }
      if (keeps(flow.handle))
        unseen[flow.slot * stage_ + flow.born]++;
      else
        broken[flow.slot] = true;
      return true;
    });
    seen.broken = static_cast<unsigned>(std::ranges::count(broken, true));
    seen.changed = static_cast<unsigned>(std::ranges::count(changed, true));
    for (auto one = unseen.begin(); one != unseen.end(); one += stage_)
      seen.unseen += *std::max_element(one, one + stage_);
    seen.unseen /= static_cast<double>(slots_.size() * units);
    begin_flows();
    return seen;
  }

 private:
  struct Member {
    BackendId id;
    unsigned weight;
    BackendState state;
    bool gone = false;
  };
  struct Flow {
    unsigned slot, unit, born;
    std::uint16_t handle;
    std::uint64_t known;  // to nodes
  };

  std::string change_nodes(std::mt19937& random) {
    if (nodes_.size() == 4 || (nodes_.size() == 3 && random() % 2 == 0)) {
      const auto gone = nodes_.begin() + static_cast<int>(random() % nodes_.size());
      const auto number = *gone;
      nodes_.erase(gone);
      return "node-down=" + std::to_string(number);
    }
    nodes_.push_back(++last_node_);
    return "node-up";
  }

  [[nodiscard]] std::vector<std::uint16_t> owners() const {
    const auto spec = with_members(spec_, members_, options_.last_resort);
    std::vector<std::uint16_t> owners(std::size_t{1} << bits);
    if (spec) owners = build_table(*spec).first;
    if (spec)
      for (auto& owner : owners) owner = static_cast<std::uint16_t>(owner + 1);
    return owners;
  }

  [[nodiscard]] bool keeps(std::uint16_t handle) const {
    const auto& member = members_[handle - 1U];
    return options_.remember != Remember::none && !member.gone &&
           (member.state != BackendState::down || options_.on_down == OnDown::keep);
  }

  static bool waits(const lb_slot& slot) {
    return !is_clean(slot) && slot.previous != LB_SLOT_KEEPS;
  }

  [[nodiscard]] std::uint64_t node(const Flow& flow) const {
    return std::uint64_t{1} << nodes_[flow.unit * nodes_.size() / units];
  }

  void change_slots() {
    const auto wanted = owners();
    for (std::size_t i = 0; i < slots_.size(); i++) {
      const auto base = base_of(slots_[i], waits(slots_[i]));
      slots_[i] =
          options_.remember == Remember::none
              ? lb_slot{wanted[i], wanted[i]}
              : change_slot(slots_[i], waits(slots_[i]), wanted[i], base != 0 && keeps(base)).slot;
    }
  }

  // Does a packet of it, not a SYN, find its backend?
  bool deliver(Flow& flow) const {
    const auto& slot = slots_[flow.slot];
    if (is_clean(slot)) return slot.current == flow.handle;
    if ((flow.known & node(flow)) != 0 && keeps(flow.handle)) return true;
    if (waits(slot)) flow.known |= node(flow);
    return base_of(slot, waits(slot)) == flow.handle;
  }

  void begin_flows() {
    for (unsigned slot = 0; slot < slots_.size(); slot++)
      for (unsigned unit = 0; unit < units; unit++) {
        Flow flow{slot, unit, stage_, slots_[slot].current, 0};
        if (flow.handle == 0) continue;
        if (waits(slots_[slot])) flow.known = node(flow);
        flows_.push_back(flow);
      }
  }

  ServiceOptions options_;
  TableSpec spec_{};
  std::vector<Member> members_{};
  std::vector<unsigned> nodes_{};
  unsigned last_node_ = 0;
  unsigned stage_ = 0;
  std::vector<lb_slot> slots_{};
  std::vector<Flow> flows_{};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(simulation)

BOOST_AUTO_TEST_CASE(a_backend_dies_that_drained_or_was_removed) {
  auto config = config_of(8);
  const auto dead = after(config, {"down=10.0.0.2"});
  for (const std::string first : {"drain=", "remove="}) {
    const auto all = run(config, {first + "10.0.0.2", "down=10.0.0.2", "weight=10.0.0.3,11"});
    BOOST_TEST(all[0].services[0].broken == 0);
    BOOST_TEST(all[1].services[0].moved == 0);
    BOOST_TEST(all[1].services[0].broken == dead.broken);
    BOOST_TEST(all[2].services[0].broken == 0);
  }
  const auto rack = config_of(300, Balance::exact);
  BOOST_TEST(after(rack, {"drain=10.0.1.0/24", "down=10.0.1.0/24"}).broken ==
             after(rack, {"down=10.0.1.0/24"}).broken);
  // Nothing waits for one that was removed.
  config.services[0].options.on_down = OnDown::keep;
  BOOST_TEST(after(config, {"drain=10.0.0.2", "down=10.0.0.2"}).broken == 0);
  BOOST_TEST(after(config, {"remove=10.0.0.2", "down=10.0.0.2"}).broken == dead.broken);
}

BOOST_AUTO_TEST_CASE(a_slot_has_flows_of_several_backends) {
  const auto all = run(config_of(8), {"drain=10.0.0.1", "down=10.0.0.2", "down=10.0.0.1"});
  BOOST_TEST(all[1].services[0].broken == all[1].services[0].moved);
  BOOST_TEST(all[2].services[0].moved == 0);
  BOOST_TEST(all[2].services[0].broken == all[0].services[0].moved);
  // Those that it had only meanwhile, too.
  const auto back = after(config_of(8), {"drain=10.0.0.1", "up=10.0.0.1", "down=10.0.0.2"});
  BOOST_TEST(back.moved == after(config_of(8), {"down=10.0.0.2"}).moved);
  BOOST_TEST(back.broken > back.moved);
}

BOOST_AUTO_TEST_CASE(what_began_between_two_changes_of_nodes) {
  const auto all = run(config_of(10), {"drain=10.0.0.1", "node-down=4", "node-up"}, 4);
  const auto changed = static_cast<double>(all[0].services[0].moved) / simulated_slots;
  BOOST_TEST(changed > 0);
  BOOST_TEST(std::abs(all[2].rerouted - 0.5) < 1e-9);
  BOOST_TEST(std::abs(all[2].services[0].unseen - changed * 0.5) < 1e-9);
  // What came to another node before the slot changed has its backend there, too.
  BOOST_TEST(after(config_of(10), {"node-down=4", "drain=10.0.0.1"}, 4).unseen == 0);
  BOOST_TEST(
      after(config_of(10), {"drain=10.0.0.1", "down=10.0.0.1", "node-down=4", "drain=10.0.0.2"}, 4)
          .unseen == 0);
}

BOOST_AUTO_TEST_CASE(nodes_need_not_know_a_slots_only_backend) {
  auto config = config_of(10);
  for (const std::string first : {"down=10.0.0.1", "drain=10.0.0.1"}) {
    const auto out = after(config, {first, "down=10.0.0.1", "node-down=1"}, 4);
    BOOST_TEST(out.changed == 0);
    BOOST_TEST(out.unseen == 0);
  }
  config.services[0].options.on_down = OnDown::keep;
  BOOST_TEST(after(config, {"down=10.0.0.1", "node-down=1"}, 4).unseen > 0);
  config.services[0].options.remember = Remember::none;
  BOOST_TEST(after(config, {"drain=10.0.0.1", "node-down=1"}, 4).unseen == 0);
}

// The sums are "at most": equal where no flow came to another node, and none to a last resort.
BOOST_AUTO_TEST_CASE(flows_one_by_one) {
  for (unsigned seed = 0; seed < 300; seed++) {
    std::mt19937 random(seed);
    auto config = config_of(2 + seed % 5, seed % 3 == 0 ? Balance::slack : Balance::off);
    config.services[0].slots = 1U << Site::bits;
    auto& options = config.services[0].options;
    if (random() % 4 == 0) options.on_down = OnDown::keep;
    if (random() % 8 == 0) options.remember = Remember::none;
    if (random() % 4 == 0) options.last_resort = LastResort::all;
    const unsigned nodes = seed % 2 == 0 ? 1 : 3;
    Site site(config, nodes);
    std::vector<std::string> events;
    std::vector<Site::Seen> seen;
    while (events.size() < 10) {
      events.push_back(site.happens(random));
      seen.push_back(site.send_flows());
    }
    const auto outcomes = run(config, events, nodes);
    for (std::size_t i = 0; i < events.size(); i++) {
      const auto& out = outcomes[i].services[0];
      BOOST_TEST_CONTEXT("seed " << seed << ", event " << i << " " << events[i]) {
        if (nodes == 1) BOOST_TEST(out.changed == seen[i].changed);
        if (nodes == 1 && options.last_resort != LastResort::all)
          BOOST_TEST(out.broken == seen[i].broken);
        BOOST_TEST(out.broken >= seen[i].broken);
        BOOST_TEST(out.changed >= seen[i].changed);
        BOOST_TEST(out.unseen >= seen[i].unseen - 1e-9);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace xdplb::test
