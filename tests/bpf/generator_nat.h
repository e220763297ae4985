// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Traffic of services in modes nat and fullnat: clients, who come again, what backends answer them,
// ICMP errors about both, and what looks like these.

#include "tests/bpf/generator.h"
#include "tests/bpf/pipeline_flows.h"

namespace xdplb::test {

class NatGenerator : public Generator {
 public:
  NatGenerator(const std::vector<PipelineService>& services, std::uint64_t seed);

  // One of these frames, or any of Generator's.
  Bytes next();
  // A flow that fullnat has given a source.
  void learn(const Flows::Flow& flow);

 private:
  using Services = std::vector<const PipelineService*>;

  Address client(bool v4);
  PacketSpec between(const Tuple& ends);
  Tuple asked();
  // What a backend of mode nat answers, or of a flow, and as its client sees it.
  struct Answer {
    Tuple sent;
    Tuple seen;
  };
  Answer nat_answer();
  Answer answer();
  Tuple stray();
  Bytes error_from_client();
  Bytes error_from_backend();
  Bytes carry(const Tuple& about, Address target);
  Bytes whole(const Tuple& ends);
  Bytes reply(const Tuple& ends);
  Bytes bent_but_near(Bytes frame, const Address& to);

  Services services_;
  struct NatBackend {
    const PipelineService* service;
    const PipelineBackend* backend;
  };
  std::vector<NatBackend> nat_backends_;
  std::vector<Flows::Flow> flows_;
};

}  // namespace xdplb::test
