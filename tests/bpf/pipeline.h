// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// A model of the whole data path: what must become of a frame, in each forwarding mode, to the last
// byte and counter. Written from the protocols' definitions and the manual, step by step, with
// every checksum computed over all that it covers:
//
//   parse    pipeline_parse   bytes -> what the packet is
//   service  pipeline.cpp     whose packet it is, and of which flow
//   pick     pipeline_config  service and flow -> backend
//   forward  pipeline.cpp     can it go there, and must it be answered instead
//   bytes    pipeline_bytes   packet and backend -> what leaves
//
// A further forwarding mode is a function in pipeline_bytes and its case in bytes_for(); a mode
// with an outer header has its size in overhead(). A mode that remembers flows keeps them in
// Pipeline and is asked in send(); its answers are for no service, and join where serve() finds
// none.

#include <map>
#include <set>

#include "tests/bpf/pipeline_bytes.h"
#include "tests/bpf/pipeline_config.h"
#include "tests/bpf/pipeline_parse.h"

namespace xdplb::test {

// The two programs that a chain may have.
enum class Program : std::uint8_t { by_egress, inlined };

struct Fate {
  lb_reason reason = LB_FORWARDED;
  std::uint32_t verdict = 0;
  bool egress = false;  // xdp_lb_egress writes what leaves
  Bytes out{};          // what leaves or passes; of dropped frames nothing
  lb_family family = LB_NO_FAMILY;
  std::size_t bytes = 0;                     // counted
  const PipelineService* service = nullptr;  // whose packet it is
  const PipelineBackend* backend = nullptr;  // that gets it, and counts it in the service's place
};

// The counters that move.
Totals counters_of(const Fate& fate);

class Pipeline {
 public:
  // egress: the interfaces with xdp_lb_egress. mtus: those of the interfaces that frames come in
  // by.
  Pipeline(std::vector<PipelineService> services, std::set<std::uint32_t> egress,
           std::map<std::uint32_t, unsigned> mtus)
      : services_(std::move(services)), egress_(std::move(egress)), mtus_(std::move(mtus)) {}

  [[nodiscard]] Fate judge(const Bytes& frame, std::uint32_t ingress, Program program) const;

 private:
  // A frame on its way through the steps.
  struct Passage {
    const Bytes& frame;
    const Parsed packet;
    std::uint32_t ingress;
    Program program;
  };
  struct Flow {
    Address client;
    std::uint16_t sport;
    std::uint16_t dport;
  };

  [[nodiscard]] bool is_vip(const Parsed& packet) const;
  template <typename Wanted>
  const PipelineService* find_if(const Parsed& packet, Wanted wanted) const;
  [[nodiscard]] const PipelineService* find(const Parsed& packet, std::uint8_t proto,
                                            std::uint16_t port) const;
  [[nodiscard]] Fate serve(const Passage& passage) const;
  [[nodiscard]] Fate serve_fragment(const Passage& passage) const;
  [[nodiscard]] Fate serve_icmp(const Passage& passage) const;
  [[nodiscard]] Fate serve_echo(const Passage& passage) const;
  [[nodiscard]] Fate balance(const Passage& passage, const PipelineService& service,
                             const Flow& flow) const;
  [[nodiscard]] Fate send(const Passage& passage, const PipelineService& service,
                          const PipelineBackend& backend, std::uint16_t entropy) const;
  [[nodiscard]] Fate too_big(const Passage& passage, const PipelineService& service,
                             unsigned mtu) const;

  std::vector<PipelineService> services_;
  std::set<std::uint32_t> egress_;
  std::map<std::uint32_t, unsigned> mtus_;
};

}  // namespace xdplb::test
