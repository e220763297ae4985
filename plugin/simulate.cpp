// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/simulate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

#include "plugin/members.h"

namespace xdplb {

namespace {

constexpr unsigned long highest_node = 65535;

struct Form {
  std::string_view name;
  Happening what;
  bool takes_backend, takes_weight;
};
constexpr std::array forms{Form{"add", Happening::add, true, true},
                           Form{"remove", Happening::remove, true, false},
                           Form{"drain", Happening::drain, true, false},
                           Form{"down", Happening::down, true, false},
                           Form{"up", Happening::up, true, false},
                           Form{"weight", Happening::weight, true, true},
                           Form{"node-down", Happening::node_down, false, false},
                           Form{"node-up", Happening::node_up, false, false}};

[[noreturn]] void refuse(std::string_view event, const std::string& why) {
  throw Error("event '" + std::string(event) + "': " + why,
              "write it like add=10.0.0.9,10, weight=10.0.0.9,20, remove=, drain=, down= or "
              "up=10.0.0.9 or 10.0.1.0/24, node-down=2, or node-up");
}

bool within(const Address& address, const Event& event) {
  const auto wire = address.wire();
  const auto net = event.backend.address.wire();
  if (wire.size() != net.size()) return false;
  for (unsigned bit = 0; bit < *event.prefix; bit++)
    if (((wire[bit / 8] ^ net[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

void read_backends(Event& event, std::string_view words) {
  const auto comma = words.find(',');
  if (comma != std::string_view::npos) {
    const auto weight = parse_number(words.substr(comma + 1), 1, max_weight);
    if (!weight) refuse(event.text, "the weight is not a number from 1 to 65535");
    event.weight = static_cast<unsigned>(*weight);
  }
  const auto backends = words.substr(0, comma);
  const auto slash = backends.find('/');
  event.backend = BackendId::parse(backends.substr(0, slash));
  if (slash == std::string_view::npos) return;
  const auto bits = event.backend.address.wire().size() * 8;
  const auto prefix = parse_number(backends.substr(slash + 1), 1, bits);
  if (!prefix) refuse(event.text, "the prefix is not a number from 1 to " + std::to_string(bits));
  if (event.what == Happening::add) refuse(event.text, "one backend is added");
  event.prefix = static_cast<unsigned>(*prefix);
}

bool is_about(const Event& event, const ServiceId& service, const BackendId& backend) {
  return event.prefix ? within(backend.address, event)
                      : backend == member_id(service, event.backend);
}

struct Member {
  BackendId id;
  unsigned weight;
  BackendState state;
};

double ratio(std::size_t part, std::size_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

using Owners = std::vector<std::uint16_t>;  // of slots: indexes of members, or no_backend

class SimulatedService {
 public:
  SimulatedService(const ServiceConfig& config, const ClusterKey& key)
      : id_(config.id),
        options_(config.options),
        spec_{derive_flow_keys(key, id_.vip.bytes(), id_.port,
                               static_cast<std::uint8_t>(id_.protocol))
                  .table_seed,
              static_cast<unsigned>(std::bit_width(config.slots.value_or(default_slots)) - 1),
              options_.balance} {
    for (const auto& backend : config.backends)
      members_.push_back({backend.id, backend.weight, backend.state.value_or(BackendState::up)});
    owners_ = owners();
    changed_.resize(owners_.size());
  }

  // How many backends the event is about.
  std::size_t happens(const Event& event) {
    std::size_t count = 0;
    if (event.what == Happening::add) {
      add(event);
      count = 1;
    } else {
      for (auto& member : members_) {
        if (member.state == BackendState::leaving || !is_about(event, id_, member.id)) continue;
        count++;
        if (event.what == Happening::weight)
          member.weight = event.weight;
        else
          member.state = state_after(event.what);
      }
    }
    settled_ = settled_ && count == 0;
    return count;
  }

  ServiceOutcome outcome(const Event& event) {
    ServiceOutcome out{id_, static_cast<unsigned>(owners_.size())};
    const auto before = owners_;
    if (!std::exchange(settled_, true)) owners_ = owners();
    for (std::size_t slot = 0; slot < owners_.size(); slot++) {
      if (before[slot] == owners_[slot]) continue;
      changed_[slot] = true;
      out.moved++;
      if (before[slot] == no_backend) continue;
      const bool needed = touches(event, before[slot]) || touches(event, owners_[slot]);
      out.needless += static_cast<unsigned>(!needed);
      out.broken += static_cast<unsigned>(!keeps(members_[before[slot]]));
    }
    out.changed = static_cast<unsigned>(std::ranges::count(changed_, true));
    weigh(out, counts(before), counts(owners_));
    return out;
  }

 private:
  static BackendState state_after(Happening what) {
    if (what == Happening::remove) return BackendState::leaving;
    if (what == Happening::drain) return BackendState::drain;
    return what == Happening::down ? BackendState::down : BackendState::up;
  }

  void add(const Event& event) {
    const Member added{member_id(id_, event.backend), event.weight, BackendState::up};
    require_backend(id_, options_, added.id, options_.forward);
    const auto there = std::ranges::find(members_, added.id, &Member::id);
    if (there == members_.end())
      members_.push_back(added);
    else if (there->state == BackendState::leaving)
      *there = added;
    else
      throw Error("event '" + event.text + "': service " + id_.to_string() +
                  " has this backend already");
  }

  [[nodiscard]] bool touches(const Event& event, std::uint16_t owner) const {
    return owner != no_backend && is_about(event, id_, members_[owner].id);
  }

  [[nodiscard]] Owners owners() const {
    const auto spec = with_members(spec_, members_, options_.last_resort);
    return spec ? build_table(*spec).first : Owners(std::size_t{1} << spec_.k, no_backend);
  }

  // Do flows that are remembered stay? A backend that is removed serves them until they end.
  [[nodiscard]] bool keeps(const Member& member) const {
    return options_.remember != Remember::none &&
           (member.state != BackendState::down || options_.on_down == OnDown::keep);
  }

  [[nodiscard]] std::vector<unsigned> counts(const Owners& owners) const {
    std::vector<unsigned> counts(members_.size());
    for (const auto owner : owners)
      if (owner != no_backend) counts[owner]++;
    return counts;
  }

  void weigh(ServiceOutcome& out, const std::vector<unsigned>& before,
             const std::vector<unsigned>& after) const {
    double weights = 0;
    for (std::size_t i = 0; i < members_.size(); i++)
      if (after[i] != 0) weights += members_[i].weight;
    out.served = weights != 0;
    for (std::size_t i = 0; i < members_.size(); i++) {
      if (after[i] == 0) continue;
      const double fair = out.slots * (members_[i].weight / weights);
      out.overload = std::max(out.overload, after[i] / fair - 1);
      if (before[i] != 0) out.growth = std::max(out.growth, ratio(after[i], before[i]) - 1);
    }
  }

  ServiceId id_;
  ServiceOptions options_;
  TableSpec spec_;
  std::vector<Member> members_{};
  Owners owners_{};
  std::vector<bool> changed_{};
  bool settled_ = true;  // owners_ are those of the members
};

// The part of the hash's range that is another node's than before.
double rerouted(const std::vector<unsigned>& before, const std::vector<unsigned>& after) {
  // In units of the range by both numbers of nodes.
  const auto old_part = after.size();
  const auto new_part = before.size();
  std::size_t stays = 0;
  for (std::size_t i = 0; i < before.size(); i++)
    for (std::size_t j = 0; j < after.size(); j++) {
      if (before[i] != after[j]) continue;
      const auto left = std::max(i * old_part, j * new_part);
      const auto right = std::min((i + 1) * old_part, (j + 1) * new_part);
      stays += right - std::min(left, right);
    }
  return 1 - ratio(stays, before.size() * after.size());
}

void change_nodes(std::vector<unsigned>& nodes, const Event& event, unsigned& last) {
  if (event.what == Happening::node_up) {
    if (nodes.size() == max_nodes)
      throw Error("event '" + event.text + "': more than " + std::to_string(max_nodes) + " nodes");
    nodes.push_back(++last);
  }
  if (event.what != Happening::node_down) return;
  const auto gone = std::ranges::find(nodes, event.node);
  if (gone == nodes.end()) throw Error("event '" + event.text + "': there is no such node");
  if (nodes.size() == 1) throw Error("event '" + event.text + "': it is the last node");
  nodes.erase(gone);
}

}  // namespace

Event Event::parse(std::string_view text) {
  const auto equals = text.find('=');
  const auto form = std::ranges::find(forms, text.substr(0, equals), &Form::name);
  if (form == forms.end()) refuse(text, "there is no such event");
  Event event{std::string(text), form->what};
  const auto words = equals == std::string_view::npos ? "" : text.substr(equals + 1);
  if (form->takes_backend) {
    const bool weight = words.find(',') != std::string_view::npos;
    if (weight && !form->takes_weight) refuse(text, "it has no weight");
    if (!weight && event.what == Happening::weight) refuse(text, "it lacks the weight");
    read_backends(event, words);
  } else if (event.what == Happening::node_down) {
    const auto number = parse_number(words, 1, highest_node);
    if (!number) refuse(text, "it lacks the node's number, from 1");
    event.node = static_cast<unsigned>(*number);
  } else if (equals != std::string_view::npos) {
    refuse(text, "it is about no node in particular");
  }
  return event;
}

std::vector<Outcome> simulate(const Config& config, unsigned nodes,
                              const std::vector<Event>& events) {
  std::vector<SimulatedService> services;
  for (const auto& service : config.services)
    services.emplace_back(service, config.cluster_key.value_or(ClusterKey{}));
  std::vector<unsigned> here(nodes);
  std::iota(here.begin(), here.end(), 1);
  const auto at_first = here;
  auto last = nodes;
  std::vector<Outcome> outcomes;
  for (const auto& event : events) {
    const auto before = here;
    change_nodes(here, event, last);
    Outcome out{event, static_cast<unsigned>(here.size()), rerouted(before, here),
                ratio(before.size(), here.size()) - 1};
    const bool of_nodes = event.what == Happening::node_down || event.what == Happening::node_up;
    std::size_t touched = 0;
    for (auto& service : services)
      if (!of_nodes) touched += service.happens(event);
    if (!of_nodes && touched == 0)
      throw Error("event '" + event.text + "': no service has such a backend");
    for (auto& service : services) {
      out.services.push_back(service.outcome(event));
      auto& one = out.services.back();
      one.unseen = rerouted(at_first, here) * ratio(one.changed, one.slots);
    }
    outcomes.push_back(std::move(out));
  }
  return outcomes;
}

}  // namespace xdplb
