// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The last step of the model of the data path (pipeline.h): the bytes that leave, and what may be
// answered with which.

#include "tests/bpf/pipeline_config.h"
#include "tests/bpf/pipeline_parse.h"

namespace xdplb::test {

void append(Bytes& bytes, const Bytes& more);
void append16(Bytes& bytes, std::size_t value);
Bytes part(const Bytes& frame, std::size_t from, std::size_t to);

unsigned hops_left(const Bytes& frame, const Parsed& packet);
// Bytes that the backend's mode adds.
unsigned overhead(const PipelineBackend& backend);
// One hop less to live, and the link header of the way out.
Bytes as_l2(Bytes frame, const Parsed& packet, const Way& way);
// The frame on its way to the backend, by its mode, if that doesn't rewrite it (pipeline_nat.h).
Bytes bytes_for(const Bytes& frame, const Parsed& packet, const PipelineBackend& backend,
                std::uint16_t gue_port, std::uint16_t entropy);

// Is the source one host? RFC 1122 3.2.2, RFC 4443 2.4 e, RFC 4291 2.5.3.
bool may_be_answered(const Parsed& packet);
bool is_echo_request(const Bytes& frame, const Parsed& packet);
Bytes echo_reply(const Bytes& frame, const Parsed& packet);

// May the client be told that its packet is too big?
bool may_be_told(const Bytes& frame, const Parsed& packet);
Bytes packet_too_big(const Bytes& frame, const Parsed& packet, unsigned mtu);

}  // namespace xdplb::test
