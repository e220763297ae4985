// SPDX-License-Identifier: GPL-2.0-only
// Text and JSON on standard output.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bpf/abi.h"
#include "plugin/component.h"
#include "plugin/counters.h"
#include "plugin/state.h"

namespace xdplb {

// All of a file. Throws Error where it can't be read: why, and the hint. kind: "the digest ".
std::string read_file(const std::string& name, const std::string& hint,
                      const std::string& kind = {});

// Columns as wide as their widest cell; the first row is the header, with a rule below it.
class TextTable {
 public:
  void row(std::vector<std::string> cells);
  void rule();
  [[nodiscard]] bool empty() const;  // no row below the rule
  [[nodiscard]] std::vector<std::string> lines() const;
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

// Objects keep the order in which their members were set.
using Json = nlohmann::ordered_json;
void print_json(const Json& json);
std::string json_line(const Json& json);

Json peers_json(const std::vector<Peer>& peers);
Json to_json(const lb_counter& counter);
lb_counter counter_of(const Json& json);
Json to_json(const ReasonCounters& counters);  // by reason, without those that are zero
Json to_json(const Service& service);
Json to_json(const Backend& backend, std::uint32_t slots, const BackendFlows& flows);
// By family, LB_FORWARDED included.
using FamilyReasons = std::array<ReasonCounters, LB_FAMILIES>;
FamilyReasons total_reasons(const Pins& pins, const State& state);
Json reasons_json(const FamilyReasons& reasons);
FamilyReasons reasons_of(const Json& json);
void print_reasons(const FamilyReasons& reasons);

// Those that are remembered; "+": others have yet to be seen.
std::string flows_text(const BackendFlows& flows);
std::string percent(std::uint64_t part, std::uint64_t whole);
std::string mebibytes(std::uint64_t bytes);  // 1.5 MiB

// What a change ends with: notes, to standard error, or with --json all of them as the answer.
void print_notes(const Notes& notes, bool json);

}  // namespace xdplb
