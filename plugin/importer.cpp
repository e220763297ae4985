// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/importer.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <sstream>

namespace xdplb {

namespace {

// Bits of a mask's prefix, or nothing.
std::optional<unsigned> prefix_of(const std::string& mask, unsigned bits) {
  if (const auto length = parse_number(mask, 1, bits)) return static_cast<unsigned>(*length);
  in_addr address{};
  if (inet_pton(AF_INET, mask.c_str(), &address) != 1) return std::nullopt;
  const auto ones = static_cast<unsigned>(std::countl_one(ntohl(address.s_addr)));
  const auto rest = static_cast<std::uint64_t>(ntohl(address.s_addr)) << (32 + ones);
  if (ones == 0 || rest != 0) return std::nullopt;
  return ones;
}

bool is_at(const Position& one, const Position& other) {
  return one.line == other.line && one.column == other.column;
}

}  // namespace

void Importer::leave(unsigned from, unsigned to, std::string text) {
  Left left{from, to, std::move(text)};
  if (std::ranges::find(imported_.left, left) == imported_.left.end())
    imported_.left.push_back(std::move(left));
}

ServiceConfig& Importer::service(std::size_t index) { return imported_.config.services[index]; }

std::size_t Importer::add_service(unsigned line, const ServiceId& id) {
  auto& all = imported_.config.services;
  const auto there = std::ranges::find(all, id, &ServiceConfig::id);
  if (there != all.end()) {
    leave(line, "service " + id.to_string() + " is there already, on line " +
                    std::to_string(there->at.line));
    return static_cast<std::size_t>(there - all.begin());
  }
  all.push_back({id, default_options(id), {}, {}, {line, ++marks_}});
  even_.push_back(false);
  return all.size() - 1;
}

void Importer::add_backend(unsigned line, std::size_t service, std::string address, unsigned weight,
                           Forward forward) {
  auto& owner = this->service(service);
  if (address.ends_with(":0") && !address.ends_with("::0")) address.resize(address.size() - 2);
  BackendConfig backend{BackendId::parse(address), std::max(weight, 1U), {}, {}, {},
                        {line, ++marks_}};
  if (backend.id.port == owner.id.port) backend.id.port = 0;
  if (weight == 0) backend.state = BackendState::drain;
  if (owner.backends.empty())
    owner.options.forward = forward;
  else if (owner.options.forward != forward)
    backend.forward = forward;
  owner.backends.push_back(std::move(backend));
}

void Importer::schedule(unsigned line, std::size_t service, const std::string& scheduler,
                        const std::string& flags) {
  static const std::set<std::string> spread{"rr", "wrr", "sh", "mh"};
  even_[service] = scheduler == "rr";
  const bool by_source = scheduler == "sh" || scheduler == "mh";
  if (by_source && flags.find(scheduler + "-port") == std::string::npos) persist(line, service, {});
  if (!spread.contains(scheduler))
    leave(line,
          "scheduler " + scheduler + ": flows are spread by weight, connections are not counted");
}

void Importer::persist(unsigned line, std::size_t service, const std::string& mask) {
  auto& into = this->service(service);
  const auto bits = all_bits(into.id);
  const auto prefix = mask.empty() ? std::optional(bits) : prefix_of(mask, bits);
  if (!prefix) return leave(line, "mask " + mask + " is no prefix");
  into.options.source_prefix = *prefix;
}

void Importer::set_gue_port(unsigned line, std::size_t service, const std::string& port) {
  const auto number = parse_number(port, 1, 65535);
  if (!number) return leave(line, "'" + port + "' is no port for gue");
  auto& into = this->service(service);
  const auto given = static_cast<std::uint16_t>(*number);
  if (into.options.gue_port != default_gue_port && into.options.gue_port != given)
    return leave(line, "backends of a service have one port for gue, which is " +
                           std::to_string(into.options.gue_port));
  into.options.gue_port = given;
}

void Importer::set_checksum(unsigned line, std::size_t service, const std::string& option) {
  const auto& into = this->service(service);
  const auto& backend = into.backends.back();
  const auto forward = backend.forward.value_or(into.options.forward);
  const bool summed = forward == Forward::gue && !backend.id.address.is_v4();
  if (option.ends_with("remcsum"))
    leave(line, option + ": remote checksum offload: there is none");
  else if (option.ends_with("nocsum") ? summed : !summed)
    leave(line, option + ": outer headers of mode gue to IPv6 have a checksum, and no others");
}

void Importer::take_out(const Mistake& mistake) {
  auto& all = imported_.config.services;
  leave(mistake.at.line, mistake.text + (mistake.hint.empty() ? "" : "; " + mistake.hint));
  std::erase_if(all, [&](const auto& service) { return is_at(service.at, mistake.at); });
  for (auto& service : all)
    std::erase_if(service.backends,
                  [&](const auto& backend) { return is_at(backend.at, mistake.at); });
}

Imported Importer::finish() {
  auto& all = imported_.config.services;
  for (std::size_t i = 0; i < all.size(); i++)
    for (auto& backend : all[i].backends)
      if (even_[i]) backend.weight = 1;
  for (auto mistakes = mistakes_of(imported_.config); !mistakes.empty();
       mistakes = mistakes_of(imported_.config))
    for (const auto& mistake : mistakes) take_out(mistake);
  for (const auto& service : all)
    if (service.backends.empty())
      leave(service.at.line, "service " + service.id.to_string() + " has no backend here");
  std::erase_if(all, [](const auto& service) { return service.backends.empty(); });
  std::ranges::stable_sort(imported_.left, {}, &Left::from);
  return std::move(imported_);
}

Forward tunnel_of(const std::string& type) {
  if (type.empty()) return Forward::ipip;
  const auto forward = parse_forward(type);
  if (!forward || !is_tunnel(*forward))
    throw Error("tunnel type '" + type + "' is neither ipip, gue nor gre");
  return *forward;
}

Words words_of(std::string_view line) {
  Words words;
  std::istringstream in{std::string(line)};
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

}  // namespace xdplb
