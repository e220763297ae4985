// SPDX-License-Identifier: GPL-2.0-only
// import_ipvs(): a line is a service or a server of one.
#include <algorithm>
#include <array>
#include <map>

#include "plugin/importer.h"

namespace xdplb {

namespace {

enum class Takes : std::uint8_t { none, some, maybe };

struct Option {
  std::string_view name, letter;
  Takes takes;
};

constexpr std::array options{Option{"--add-service", "-A", Takes::none},
                             Option{"--add-server", "-a", Takes::none},
                             Option{"--tcp-service", "-t", Takes::some},
                             Option{"--udp-service", "-u", Takes::some},
                             Option{"--sctp-service", "", Takes::some},
                             Option{"--fwmark-service", "-f", Takes::some},
                             Option{"--scheduler", "-s", Takes::some},
                             Option{"--persistent", "-p", Takes::maybe},
                             Option{"--netmask", "-M", Takes::some},
                             Option{"--sched-flags", "-b", Takes::some},
                             Option{"--pe", "", Takes::some},
                             Option{"--ops", "-o", Takes::none},
                             Option{"--real-server", "-r", Takes::some},
                             Option{"--gatewaying", "-g", Takes::none},
                             Option{"--ipip", "-i", Takes::none},
                             Option{"--masquerading", "-m", Takes::none},
                             Option{"--weight", "-w", Takes::some},
                             Option{"--u-threshold", "-x", Takes::some},
                             Option{"--l-threshold", "-y", Takes::some},
                             Option{"--tun-type", "", Takes::some},
                             Option{"--tun-port", "", Takes::some},
                             Option{"--tun-nocsum", "", Takes::none},
                             Option{"--tun-csum", "", Takes::none},
                             Option{"--tun-remcsum", "", Takes::none},
                             Option{"--ipv6", "-6", Takes::none}};

using Rule = std::map<std::string_view, std::string>;  // by the options' long names

// Throws Error where it isn't understood.
Rule parse_rule(const Words& words) {
  Rule rule;
  for (std::size_t i = 0; i < words.size(); i++) {
    const auto known = std::ranges::find_if(options, [&](const auto& option) {
      return words[i] == option.name || words[i] == option.letter;
    });
    if (known == options.end()) throw Error("'" + words[i] + "' is not understood");
    auto& value = rule[known->name];
    const bool follows = i + 1 < words.size() && !words[i + 1].starts_with('-');
    if (known->takes == Takes::some && !follows) throw Error(words[i] + " has no value");
    if (known->takes != Takes::none && follows) value = words[++i];
  }
  return rule;
}

std::string get(const Rule& rule, std::string_view name) {
  const auto found = rule.find(name);
  return found == rule.end() ? std::string() : found->second;
}

// Throws Error for what services can't be known by.
ServiceId service_of(const Rule& rule) {
  if (rule.contains("--fwmark-service"))
    throw Error("firewall marks: services are known by address, port and protocol");
  if (rule.contains("--sctp-service")) throw Error("SCTP: services are TCP or UDP");
  if (rule.contains("--udp-service")) return ServiceId::parse(get(rule, "--udp-service") + "/udp");
  return ServiceId::parse(get(rule, "--tcp-service") + "/tcp");
}

Forward forward_of(const Rule& rule) {
  if (rule.contains("--masquerading")) return Forward::nat;
  return rule.contains("--ipip") ? tunnel_of(get(rule, "--tun-type")) : Forward::l2;
}

class Ipvs {
 public:
  Imported read(std::string_view text) {
    each_line(text, [&](unsigned line, std::string_view all) {
      const auto words = words_of(all.substr(0, all.find('#')));
      if (!words.empty()) attempt(importer_, line, [&] { add(line, parse_rule(words)); });
    });
    return importer_.finish();
  }

 private:
  void add(unsigned line, const Rule& rule) {
    if (rule.contains("--add-service"))
      add_service(line, rule);
    else if (rule.contains("--add-server"))
      add_server(line, rule);
    else
      throw Error("it adds neither a service nor a server");
  }

  void add_service(unsigned line, const Rule& rule) {
    const auto id = service_of(rule);
    const auto service = importer_.add_service(line, id);
    services_[id] = service;
    importer_.schedule(line, service, get(rule, "--scheduler"), get(rule, "--sched-flags"));
    leave_flags(line, get(rule, "--scheduler"), get(rule, "--sched-flags"));
    if (rule.contains("--persistent")) {
      importer_.persist(line, service, get(rule, "--netmask"));
      importer_.leave(line, "persistence is affinity: it has no timeout");
    }
    if (rule.contains("--pe")) importer_.leave(line, "persistence engines: there are none");
    if (rule.contains("--ops")) importer_.leave(line, "one-packet scheduling: flows stay together");
  }

  // Those but the port's, which schedule() looks at.
  void leave_flags(unsigned line, const std::string& scheduler, std::string flags) {
    std::ranges::replace(flags, ',', ' ');
    for (const auto& flag : words_of(flags)) {
      if ((scheduler == "sh" || scheduler == "mh") && flag == scheduler + "-port") continue;
      const bool falls_back = flag == "sh-fallback" || flag == "mh-fallback";
      const auto text = falls_back ? fallback_remark : "it is not understood";
      importer_.leave(line, "flag " + flag + ": " + std::string(text));
    }
  }

  void add_server(unsigned line, const Rule& rule) {
    const auto found = services_.find(service_of(rule));
    if (found == services_.end()) throw Error("no line before adds its service");
    const auto text = rule.contains("--weight") ? get(rule, "--weight") : "1";
    const auto weight = parse_number(text, 0, max_weight);
    if (!weight)
      throw Error("weight '" + text + "' is not a number from 0 to " + std::to_string(max_weight));
    const auto forward = forward_of(rule);
    importer_.add_backend(line, found->second, get(rule, "--real-server"),
                          static_cast<unsigned>(*weight), forward);
    if (forward == Forward::gue)
      importer_.set_gue_port(line, found->second, get(rule, "--tun-port"));
    for (const std::string option : {"--tun-nocsum", "--tun-csum", "--tun-remcsum"})
      if (rule.contains(option)) importer_.set_checksum(line, found->second, option);
    for (const auto* option : {"--u-threshold", "--l-threshold"})
      if (rule.contains(option) && get(rule, option) != "0")
        importer_.leave(line, "thresholds: connections are not counted");
  }

  Importer importer_;
  std::map<ServiceId, std::size_t> services_;
};

}  // namespace

Imported import_ipvs(std::string_view text) { return Ipvs().read(text); }

}  // namespace xdplb
