// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Services in all modes over backends on all kinds of ways, in the maps and in the model alike.

#include "tests/bpf/pipeline.h"
#include "tests/support/bpf_fixture.h"

namespace xdplb::test {

class Scene : public Balancer {
 public:
  Scene();

  [[nodiscard]] const std::vector<PipelineService>& services() const { return services_; }
  [[nodiscard]] Pipeline pipeline() const { return {services_, egress_, mtus_, networks_}; }
  // Where frames come in.
  [[nodiscard]] const std::vector<std::uint32_t>& entrances() const { return entrances_; }

  // Flows of mode fullnat: keeps them from growing older by the clock, and ages them.
  void hold_clock();
  void age(unsigned seconds);
  void forget_flows();
  // Takes the flow's entries away; what its packets were to become.
  std::optional<Tuple> forget(const Tuple& asked);

 private:
  void add_tunnels();
  void add_nat();
  void add(const std::string& id, Forward forward, const PipelineService& options);
  void add_backends(PipelineService& service, Forward forward);

  std::vector<PipelineService> services_;
  std::set<std::uint32_t> egress_;
  std::vector<std::uint32_t> entrances_;
  std::map<std::uint32_t, unsigned> mtus_;
  std::vector<Network> networks_;
  std::uint32_t clock_ = 0;
};

}  // namespace xdplb::test
