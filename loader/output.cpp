// SPDX-License-Identifier: GPL-2.0-only
#include "loader/output.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

#include "plugin/error.h"
#include "plugin/interface.h"

namespace xdplb {

std::string read_file(const std::string& name, const std::string& hint, const std::string& kind) {
  errno = 0;
  std::ifstream file(name, std::ios::binary);
  int error = file ? 0 : errno;
  std::error_code unknown;
  if (std::filesystem::is_directory(name, unknown)) error = EISDIR;
  if (!file || error != 0)
    throw Error("can't read " + kind + name + ": " + std::generic_category().message(error),
                error == EACCES ? "run as root, or let this user read it" : hint);
  std::string text(std::istreambuf_iterator<char>(file), {});
  return text;
}

void TextTable::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

void TextTable::rule() { rows_.emplace_back(); }

bool TextTable::empty() const { return rows_.back().empty(); }

std::vector<std::string> TextTable::lines() const {
  std::vector<std::size_t> widths;
  for (const auto& cells : rows_)
    for (std::size_t i = 0; i < cells.size(); i++) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], cells[i].size());
    }
  std::size_t width = 0;
  for (const auto column : widths) width += column + 2;
  std::vector<std::string> lines;
  for (const auto& cells : rows_) {
    std::string line = cells.empty() ? std::string(width - 2, '-') : "";
    for (std::size_t i = 0; i < cells.size(); i++)
      line += cells[i] + std::string(widths[i] + 2 - cells[i].size(), ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

void TextTable::print() const {
  for (const auto& line : lines()) std::cout << line << "\n";
}

// A name of an interface need not be UTF-8.
void print_json(const Json& json) {
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json peers_json(const std::vector<Peer>& peers) {
  Json json = Json::array();
  for (const auto& peer : peers) json.push_back(to_string(peer));
  return json;
}

Json to_json(const lb_counter& counter) {
  return {{"packets", counter.packets}, {"bytes", counter.bytes}};
}

lb_counter counter_of(const Json& json) { return {json.at("packets"), json.at("bytes")}; }

Json to_json(const ReasonCounters& counters) {
  Json json = Json::object();
  for (unsigned reason = 0; reason < counters.size(); reason++)
    if (counters[reason].packets != 0)
      json[std::string(reason_name(static_cast<lb_reason>(reason)))] = to_json(counters[reason]);
  return json;
}

Json to_json(const Service& service) {
  Json json{{"service", service.id.to_string()},
            {"forward", to_string(service.forward)},
            {"balance", to_string(service.balance)},
            {"slots", service.slots}};
  if (service.forward == Forward::gue) json["gue_port"] = service.gue_port;
  json["fragments"] = to_string(service.fragments);
  if (service.source_prefix != 0) json["affinity"] = service.source_prefix;
  json["ping"] = service.ping;
  json["state"] = to_string(service.remember);
  json["epoch"] = service.epoch;
  json["on_down"] = to_string(service.on_down);
  json["last_resort"] = to_string(service.last_resort);
  json["second_chance"] = service.second_chance;
  if (service.pool.count != 0) json["pool"] = service.pool.to_string();
  return json;
}

Json to_json(const Backend& backend, std::uint32_t slots, const BackendFlows& flows) {
  Json json{{"backend", backend.id.to_string()},
            {"forward", to_string(backend.forward)},
            {"weight", backend.weight},
            {"state", to_string(backend.state)},
            {"slots", slots},
            {"flows", flows.flows},
            {"phase_1", flows.phase_1},
            {"last_resort", flows.last_resort}};
  if (backend.hop) json["next_hop"] = hop_text(backend.hop);
  return json;
}

FamilyReasons total_reasons(const Pins& pins, const State& state) {
  const Counters counters(pins);
  const auto forwarded = state.forwarded_by_family();
  FamilyReasons reasons{};
  for (const auto family : {LB_NO_FAMILY, LB_IPV4, LB_IPV6}) {
    reasons[family] = counters.of_family(family);
    reasons[family][LB_FORWARDED] = forwarded[family];
  }
  return reasons;
}

namespace {

constexpr std::array family_keys{"no-family", "ipv4", "ipv6"};

}  // namespace

Json reasons_json(const FamilyReasons& reasons) {
  Json json = Json::object();
  for (unsigned family = 0; family < LB_FAMILIES; family++)
    json[family_keys[family]] = to_json(reasons[family]);
  return json;
}

FamilyReasons reasons_of(const Json& json) {
  FamilyReasons reasons{};
  for (unsigned family = 0; family < LB_FAMILIES; family++)
    for (const auto& [name, counter] : json.at(family_keys[family]).items())
      for (unsigned reason = 0; reason < LB_REASON_COUNT; reason++)
        if (reason_name(static_cast<lb_reason>(reason)) == name)
          reasons[family][reason] = counter_of(counter);
  return reasons;
}

void print_reasons(const FamilyReasons& reasons) {
  constexpr std::array fates{"forwarded", "passed", "dropped", "answered"};
  constexpr std::array families{"-", "IPv4", "IPv6"};
  TextTable table;
  table.row({"Reason", "Family", "Packets", "Bytes", "Fate", "Meaning"});
  table.rule();
  for (unsigned i = 0; i < LB_REASON_COUNT; i++)
    for (unsigned family = 0; family < LB_FAMILIES; family++) {
      const auto& counter = reasons[family][i];
      const auto reason = static_cast<lb_reason>(i);
      if (counter.packets == 0) continue;
      table.row({std::string(reason_name(reason)), families[family],
                 std::to_string(counter.packets), std::to_string(counter.bytes),
                 fates[static_cast<std::size_t>(reason_fate(reason))],
                 std::string(reason_text(reason))});
    }
  if (table.empty()) table.row({"<No packets yet>"});
  table.print();
}

std::string flows_text(const BackendFlows& flows) {
  return std::to_string(flows.flows) + (flows.phase_1 || flows.last_resort ? "+" : "");
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.2f%%",
                100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text.data();
}

std::string mebibytes(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f MiB", static_cast<double>(bytes) / (1U << 20));
  return text.data();
}

void print_notes(const Notes& notes, bool json) {
  if (json) return print_json({{"notes", notes}});
  for (const auto& note : notes) std::cerr << "xdp-lb: note: " << note << "\n";
}

}  // namespace xdplb
