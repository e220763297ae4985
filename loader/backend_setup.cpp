// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/backend_setup.h"

#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/error.h"
#include "plugin/way.h"

namespace xdplb {

namespace {

struct Subject {
  BackendId id;
  Forward forward;
  Setup setup;
};

Subject subject_of(const std::vector<Interface>& all, const Service& service, const BackendId& id,
                   Forward forward, const std::optional<lb_hop>& hop) {
  const auto way = way_to(all, id.address, hop);
  SetupFacts facts{service.id, id, forward, service.gue_port};
  facts.local = way.local();
  facts.mtu = way.mtu;
  if (way.route) {
    facts.balancer = way.route->source;
    facts.gateway = !way.route->on_link;
  }
  return {id, forward, backend_setup(facts)};
}

// The backends of the service, or the one named: it may have yet to be added.
std::vector<Subject> subjects(const State& state, const Service& service,
                              const std::optional<BackendId>& named) {
  const auto all = interfaces();
  std::vector<Subject> chosen;
  const auto choose = [&](const Backend& backend) {
    chosen.push_back(subject_of(all, service, backend.id, backend.forward, backend.hop));
  };
  if (!named) {
    for (const auto& backend : state.backends(service.number)) choose(backend);
  } else if (const auto backend = state.find_backend(service, *named)) {
    choose(*backend);
  } else {
    require_backend(service.id, service, *named, service.forward);
    chosen.push_back(subject_of(all, service, *named, service.forward, {}));
  }
  if (chosen.empty())
    throw Error("service " + service.id.to_string() + " has no backends yet",
                "give the address of the one to set up");
  return chosen;
}

Json to_json(const Subject& subject) {
  const auto& setup = subject.setup;
  Json json{{"backend", subject.id.to_string()},
            {"forward", to_string(subject.forward)},
            {"needs", setup.summary},
            {"commands", setup.commands},
            {"files", Json::array()},
            {"advice", setup.advice}};
  for (const auto& file : setup.files)
    json["files"].push_back({{"path", file.path}, {"lines", file.lines}});
  if (setup.mss) json["mss"] = *setup.mss;
  return json;
}

// For sh(1): what is for the administrator is a comment there.
void print(const std::string& backends, const Subject& subject) {
  const auto& setup = subject.setup;
  std::cout << "# " << backends << ", mode " << to_string(subject.forward) << ": " << setup.summary
            << "\n";
  for (const auto& command : setup.commands) std::cout << command << "\n";
  for (const auto& file : setup.files) {
    std::cout << "# To keep it, " << file.path << ":\n";
    for (const auto& line : file.lines) std::cout << "#   " << line << "\n";
  }
  for (const auto& line : setup.advice) std::cout << "# " << line << "\n";
}

// Those with the same needs together.
void print(const std::vector<Subject>& all) {
  for (auto first = all.begin(); first != all.end();) {
    auto names = "Backend " + first->id.to_string();
    auto next = first + 1;
    for (; next != all.end() && next->setup == first->setup; ++next)
      names += ", " + next->id.to_string();
    print(names, *first);
    first = next;
  }
}

}  // namespace

int run_backend_setup(const Arguments& arguments) {
  Command command("backend-setup", "Prints what a backend of a service needs: commands for sh(1).",
                  "VIP:PORT/PROTO [ADDRESS[:PORT]]");
  command.epilogue(
      "Without ADDRESS: what each of the service's backends needs. Changes nothing.\n"
      "Example: xdp-lb backend-setup 192.0.2.10:80/tcp 10.0.0.1 | ssh root@10.0.0.1 sh");
  if (!command.parse(arguments)) return 0;
  const auto id = ServiceId::parse(command.parameters()[0]);
  std::optional<BackendId> named;
  if (command.parameters().size() > 1) named = BackendId::parse(command.parameters()[1]);
  const PinLock lock(command.pin_path(), Access::read);
  const Pins pins(command.pin_path(), Access::read);
  const State state(pins);
  const auto all = subjects(state, state.service(id), named);
  if (!command.json()) {
    print(all);
    return 0;
  }
  Json json = Json::array();
  for (const auto& subject : all) {
    json.push_back(to_json(subject));
    json.back()["service"] = id.to_string();
  }
  print_json(json);
  return 0;
}

}  // namespace xdplb
