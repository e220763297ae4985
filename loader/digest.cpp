// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/digest.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

Json to_json(const Digest& digest) {
  Json json{{"tables", digest.tables}, {"epochs", digest.epochs}, {"services", Json::array()}};
  for (const auto& service : digest.services)
    json["services"].push_back({{"service", service.service},
                                {"tables", service.tables},
                                {"new_flows", service.new_flows},
                                {"epochs", service.epochs},
                                {"seconds", service.seconds},
                                {"wrong_slots", service.wrong}});
  return json;
}

// What of a service is compared.
struct Compared {
  std::string tables;
  std::string new_flows;
  std::uint32_t seconds;
};
using Services = std::map<std::string, Compared>;

Services services_of(const Json& json) {
  Services all;
  for (const auto& service : json.at("services"))
    all[service.at("service").get<std::string>()] = {service.at("tables").get<std::string>(),
                                                     service.at("new_flows").get<std::string>(),
                                                     service.at("seconds").get<std::uint32_t>()};
  return all;
}

Services read_services(const std::string& file) {
  const std::string hint = "give what 'xdp-lb digest -j' printed on another node";
  const auto text = read_file(file, hint);
  try {
    return services_of(Json::parse(text));
  } catch (const Json::exception&) {
    throw Error(file + " is no digest", hint);
  }
}

// Why new flows of a service that both have go elsewhere; empty where they don't.
std::string difference(const Compared& here, const Compared& there) {
  if (here.tables != there.tables) return "decides otherwise";
  if (here.new_flows == there.new_flows) return {};
  return "has another epoch: new flows go elsewhere for " +
         std::to_string(std::max(here.seconds, there.seconds)) + " s at most";
}

// What differs from another node's, a line each.
std::vector<std::string> differences(const Services& here, const Services& there) {
  std::vector<std::string> all;
  for (const auto& [service, its] : here) {
    const auto found = there.find(service);
    const auto how =
        found == there.end() ? std::string("is here alone") : difference(its, found->second);
    if (!how.empty()) all.push_back("service " + service + " " + how);
  }
  for (const auto& [service, its] : there)
    if (!here.contains(service)) all.push_back("service " + service + " is there alone");
  return all;
}

void print_text(const Digest& digest) {
  TextTable table;
  table.row({"Service", "Tables", "Epochs", "Wrong slots"});
  table.rule();
  for (const auto& service : digest.services)
    table.row({service.service, service.tables, service.epochs, std::to_string(service.wrong)});
  if (table.empty()) table.row({"<No services>"});
  table.print();
  std::cout << "\nTables: " << digest.tables << "\nEpochs: " << digest.epochs << "\n";
}

}  // namespace

int run_digest(const Arguments& arguments) {
  Command command("digest", "Shows whether nodes decide alike: hashes of what decides for a flow.",
                  "");
  command.option("against", "FILE", "compare with what 'digest -j' printed on another node")
      .epilogue(
          "Exit status 3: a table is not what the configuration means, or new flows go elsewhere.");
  if (!command.parse(arguments)) return 0;
  const auto against = command.get("against");
  const auto there = against ? read_services(*against) : Services{};
  const PinLock lock(command.pin_path(), Access::read);
  const auto digest = digest_of(Pins(command.pin_path(), Access::read));
  auto json = to_json(digest);
  const auto differ = against ? differences(services_of(json), there) : std::vector<std::string>{};
  if (against) json["differences"] = differ;
  if (command.json())
    print_json(json);
  else
    print_text(digest);
  for (const auto& line : differ)
    if (!command.json()) std::cout << line << "\n";
  const bool wrong =
      std::ranges::any_of(digest.services, [](const auto& service) { return service.wrong != 0; });
  return wrong || !differ.empty() ? 3 : 0;
}

}  // namespace xdplb
