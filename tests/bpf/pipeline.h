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
// Beside them are what comes back in modes nat and fullnat (pipeline_back), what these rewrite
// (pipeline_nat) and the flows of the latter (pipeline_flows). A further forwarding mode is its
// case in leave(); one with an outer header has its size in overhead().

#include <map>
#include <set>

#include "tests/bpf/pipeline_bytes.h"
#include "tests/bpf/pipeline_config.h"
#include "tests/bpf/pipeline_flows.h"
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
  // The flow of mode fullnat that it is of, and whether it opens that.
  Flows::Known flow = nullptr;
  bool opens = false;
  Flows::Side side = Flows::client;  // where it comes from
  unsigned flags = 0;                // of TCP
  bool uses = false;                 // the flow lives on by it
};

// Is the packet on its way to a backend, or back?
bool is_sent(const Fate& fate);

// The packet leaves for this reason.
Fate leaves(lb_reason reason, std::uint32_t verdict, const PipelineService* service = nullptr);
bool is_group(const Bytes& frame);
Tuple tuple_of(const Parsed& packet);
// The packet takes part in the flow. Errors don't.
void take_part(Fate& fate, const Bytes& frame, const Parsed& packet, Flows::Side side,
               Flows::Known flow);

// The counters that move.
Totals counters_of(const Fate& fate);

class Pipeline {
 public:
  // egress: the interfaces with xdp_lb_egress. mtus: those of the interfaces that frames come in
  // by. networks: where clients are; no other has a route.
  Pipeline(std::vector<PipelineService> services, std::set<std::uint32_t> egress,
           std::map<std::uint32_t, unsigned> mtus, std::vector<Network> networks = {})
      : services_(std::move(services)),
        egress_(std::move(egress)),
        mtus_(std::move(mtus)),
        networks_(std::move(networks)) {}

  // sent: the ends that it had when it left, if it opens a flow.
  [[nodiscard]] Fate judge(const Bytes& frame, std::uint32_t ingress, Program program,
                           const Tuple* sent = nullptr) const;
  // Remembers what the packet did to its flow.
  void happened(const Fate& fate);
  [[nodiscard]] Flows& flows() { return flows_; }

 private:
  // A frame on its way through the steps.
  struct Passage {
    const Bytes& frame;
    const Parsed packet;
    std::uint32_t ingress;
    Program program;
    const Tuple* sent;
    Quote quote{};  // of ICMP errors
  };
  // Where a packet goes.
  struct Aim {
    const PipelineService& service;
    const PipelineBackend* backend;  // back to a client: nullptr
    const Way& way;
    std::uint16_t entropy = 0;
    std::optional<Tuple> to{};  // what its ends become
    bool hides_source = false;
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
                             const Tuple& flow) const;
  [[nodiscard]] Fate send(const Passage& passage, const PipelineService& service,
                          const PipelineBackend& backend, std::uint16_t entropy,
                          const Tuple& flow) const;
  [[nodiscard]] Fate send_hidden(const Passage& passage, const PipelineService& service,
                                 const PipelineBackend& backend, const Tuple& flow) const;
  [[nodiscard]] Fate leave(const Passage& passage, const Aim& aim) const;
  [[nodiscard]] static Bytes bytes_of(const Passage& passage, const Aim& aim);
  [[nodiscard]] static Bytes rewritten_as(Bytes frame, const Passage& passage, const Tuple& to,
                                          bool source_too);
  [[nodiscard]] Fate too_big(const Passage& passage, const PipelineService& service,
                             unsigned mtu) const;

  // What is for no service: an answer of a backend, or none of ours.
  [[nodiscard]] const PipelineService* replier(const Parsed& packet, const Tuple& flow) const;
  [[nodiscard]] Fate serve_reply(const Passage& passage, const Tuple& flow,
                                 lb_reason otherwise) const;
  [[nodiscard]] Fate serve_hidden_reply(const Passage& passage, const Tuple& flow,
                                        lb_reason otherwise) const;
  [[nodiscard]] Fate go_back(const Passage& passage, const PipelineService& service,
                             const Tuple& to) const;
  [[nodiscard]] static Fate leave_to_kernel(const Passage& passage, const PipelineService& service,
                                            const Tuple& to);

  std::vector<PipelineService> services_;
  std::set<std::uint32_t> egress_;
  std::map<std::uint32_t, unsigned> mtus_;
  std::vector<Network> networks_;
  Flows flows_;
};

}  // namespace xdplb::test
