// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/simulate.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "plugin/simulated_service.h"

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

using Nodes = std::vector<unsigned>;  // their numbers, in the order of their parts of the range

// The part of the hash's range that is another node's than before.
double rerouted(const Nodes& before, const Nodes& after) {
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

void change_nodes(Nodes& nodes, const Event& event, unsigned& last) {
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

// What outcomes ask for (plugin/simulated_service.h).
std::vector<double> parts_elsewhere(const std::vector<Nodes>& stages) {
  std::vector<double> parts(stages.size());
  for (auto i = stages.size() - 1; i-- > 0;)
    parts[i] = std::max(parts[i + 1], rerouted(stages[i], stages.back()));
  return parts;
}

void happens(const Event& event, std::vector<SimulatedService>& services) {
  if (event.what == Happening::node_down || event.what == Happening::node_up) return;
  std::size_t touched = 0;
  for (auto& service : services) touched += service.happens(event);
  if (touched == 0) throw Error("event '" + event.text + "': no service has such a backend");
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
  std::vector<Nodes> stages{Nodes(nodes)};
  std::iota(stages[0].begin(), stages[0].end(), 1);
  auto last = nodes;
  std::vector<Outcome> outcomes;
  for (const auto& event : events) {
    auto here = stages.back();
    change_nodes(here, event, last);
    outcomes.push_back({event, static_cast<unsigned>(here.size()), rerouted(stages.back(), here),
                        ratio(stages.back().size(), here.size()) - 1});
    stages.push_back(std::move(here));
    happens(event, services);
    const auto elsewhere = parts_elsewhere(stages);
    for (auto& service : services)
      outcomes.back().services.push_back(service.outcome(event, elsewhere));
  }
  return outcomes;
}

}  // namespace xdplb
