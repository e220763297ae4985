// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// The last step of the model of the data path (pipeline.h) in modes nat and fullnat: RFC 3022, for
// ICMP errors RFC 5508 4.

#include "tests/bpf/pipeline_flows.h"
#include "tests/bpf/pipeline_parse.h"

namespace xdplb::test {

// The frame's packet with these ends.
Bytes rewritten(Bytes frame, const Parsed& packet, const Tuple& to);
// An ICMP error, with the ends of the flow that it is about: those of what it quotes, turned
// around, and its own. Where it comes from stays to be seen unless the flow's source is hidden.
Bytes rewritten_error(Bytes frame, const Parsed& packet, const Quote& quote, const Tuple& to,
                      bool source_too);

}  // namespace xdplb::test
