// SPDX-License-Identifier: GPL-2.0-only
// Of check: the host. The rules are functions of facts.
#pragma once

#include <optional>
#include <string>

#include "plugin/check.h"

namespace xdplb {

void check_host(Findings& findings, const std::string& pin_path);

Finding judge_kernel(const std::string& release);
Finding judge_types(bool there);                           // of the kernel, for BPF
Finding judge_libxdp(const std::string& version,           // empty: unknown
                     std::optional<unsigned> dispatcher);  // its version, likewise
Finding judge_chain(const std::optional<std::string>& missing);
Finding judge_growth(std::optional<bool> lets_grow);
Finding judge_sockets(std::optional<bool> finds);  // may programs look for them?
Finding judge_jit(std::optional<int> enabled);

}  // namespace xdplb
