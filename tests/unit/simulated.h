// SPDX-License-Identifier: GPL-2.0-only
// What events do to a service of backends 10.0.0.1 to 10.0.0.100, 10.0.1.1 to 10.0.1.100, and so
// on.
#pragma once

#include <string>
#include <vector>

#include "plugin/simulate.h"

namespace xdplb::test {

constexpr ClusterKey simulated_key{1, 2, 3};
constexpr unsigned simulated_slots = 4096;

inline BackendId simulated_backend(unsigned number) {
  return BackendId::parse("10.0." + std::to_string(number / 100) + "." +
                          std::to_string(1 + number % 100));
}

// A service of so many backends of weight 10.
inline Config config_of(unsigned count, Balance balance = Balance::off) {
  const auto id = ServiceId::parse("192.0.2.10:80/tcp");
  Config config;
  config.cluster_key = simulated_key;
  ServiceConfig service{id, default_options(id), simulated_slots};
  service.options.balance = balance;
  for (unsigned i = 0; i < count; i++) service.backends.push_back({simulated_backend(i), 10});
  config.services.push_back(service);
  return config;
}

inline std::vector<Outcome> run(const Config& config, const std::vector<std::string>& texts,
                                unsigned nodes = 1) {
  std::vector<Event> events;
  for (const auto& text : texts) events.push_back(Event::parse(text));
  return simulate(config, nodes, events);
}

inline ServiceOutcome after(const Config& config, const std::vector<std::string>& texts,
                            unsigned nodes = 1) {
  return run(config, texts, nodes).back().services.at(0);
}

}  // namespace xdplb::test
