// SPDX-License-Identifier: GPL-2.0-only
// Counters and states as Prometheus reads them: the text format, version 0.0.4.
#include <iostream>
#include <map>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/memory.h"

namespace xdplb {

namespace {

// Of a metric: "service" -> "192.0.2.10:80/tcp".
using Labels = std::vector<std::pair<std::string_view, std::string>>;

std::string escaped(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  return text;
}

// Samples of a metric stand together, below what is said of it.
class Metrics {
 public:
  void counter(const std::string& name, const std::string& help) { family(name, "counter", help); }
  void gauge(const std::string& name, const std::string& help) { family(name, "gauge", help); }

  void add(const std::string& name, const Labels& labels, std::uint64_t value) {
    std::string text;
    for (const auto& [label, content] : labels)
      text += (text.empty() ? "" : ",") + std::string(label) + "=\"" + escaped(content) + "\"";
    families_.at(index_.at(name)).samples +=
        name + (text.empty() ? "" : "{" + text + "}") + " " + std::to_string(value) + "\n";
    samples_.push_back({{"name", name}, {"labels", Json::object()}, {"value", value}});
    for (const auto& [label, content] : labels)
      samples_.back()["labels"][std::string(label)] = content;
  }
  void add(const std::string& what, const Labels& labels, const lb_counter& value) {
    add(what + "_packets_total", labels, value.packets);
    add(what + "_bytes_total", labels, value.bytes);
  }

  void print() const {
    for (const auto& family : families_) std::cout << family.head << family.samples;
  }
  [[nodiscard]] const Json& json() const { return samples_; }

 private:
  struct Family {
    std::string head, samples;
  };
  void family(const std::string& name, const std::string& type, const std::string& help) {
    index_[name] = families_.size();
    families_.push_back(
        {"# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n", {}});
  }

  std::vector<Family> families_;
  std::map<std::string, std::size_t> index_;
  Json samples_ = Json::array();
};

void describe(Metrics& metrics) {
  for (const auto& [what, text] :
       {std::pair("xdp_lb_reason", "of all packets, by the reason why they left"),
        std::pair("xdp_lb_service_forwarded", "of packets that a service forwarded"),
        std::pair("xdp_lb_service_reason", "of a service's packets that were not forwarded"),
        std::pair("xdp_lb_backend_forwarded", "of packets that a backend got")})
    for (const std::string unit : {"packets", "bytes"})
      metrics.counter(std::string(what) + "_" + unit + "_total",
                      (unit == "packets" ? "Number " : "Bytes ") + std::string(text) + ".");
  metrics.counter("xdp_lb_flows_remembered_total", "Flows of changed slots that were remembered.");
  metrics.counter("xdp_lb_flows_evicted_total", "Of these, those that were displaced while young.");
  metrics.counter("xdp_lb_flows_refused_total", "Flows that were not remembered.");
  metrics.gauge("xdp_lb_flows_remembered", "Flows that are remembered now.");
  metrics.gauge("xdp_lb_flows_capacity", "Flows that can be remembered.");
  metrics.gauge("xdp_lb_service_slots", "Slots of a service's table.");
  metrics.gauge("xdp_lb_service_changed_slots", "Of these, those where flows are remembered.");
  metrics.gauge("xdp_lb_backend_weight", "Weight of a backend.");
  metrics.gauge("xdp_lb_backend_state", "1 for the state that a backend is in.");
  metrics.gauge("xdp_lb_backend_slots", "Slots whose new flows a backend gets.");
  metrics.gauge("xdp_lb_backend_flows", "Flows of a backend that are remembered.");
  metrics.gauge("xdp_lb_interface_running", "1 where the component gets an interface's packets.");
  metrics.gauge("xdp_lb_memory_bytes", "Kernel memory of the maps.");
}

void add_reasons(Metrics& metrics, const FamilyReasons& all) {
  constexpr std::array families{"none", "ipv4", "ipv6"};
  constexpr std::array fates{"forwarded", "passed", "dropped", "answered"};
  for (std::size_t family = 0; family < all.size(); family++)
    for (unsigned i = 0; i < all[family].size(); i++) {
      const auto reason = static_cast<lb_reason>(i);
      metrics.add("xdp_lb_reason",
                  {{"reason", std::string(reason_name(reason))},
                   {"fate", fates[static_cast<std::size_t>(reason_fate(reason))]},
                   {"family", families[family]}},
                  all[family][i]);
    }
}

void add_backend(Metrics& metrics, const Backend& backend, const Labels& labels,
                 const lb_counter& forwarded) {
  metrics.add("xdp_lb_backend_forwarded", labels, forwarded);
  metrics.add("xdp_lb_backend_weight", labels, std::uint64_t{backend.weight});
  for (const auto state :
       {BackendState::up, BackendState::drain, BackendState::down, BackendState::leaving}) {
    auto with_state = labels;
    with_state.emplace_back("state", to_string(state));
    metrics.add("xdp_lb_backend_state", with_state, std::uint64_t{backend.state == state});
  }
}

void add_service(Metrics& metrics, const Counters& counters, const State& state,
                 const Epochs& epochs, const Service& service,
                 const std::vector<Backend>& backends) {
  const Labels labels{{"service", service.id.to_string()}};
  metrics.add("xdp_lb_service_slots", labels, std::uint64_t{service.slots});
  metrics.add("xdp_lb_service_changed_slots", labels,
              std::uint64_t{epochs.services[service.number].changed});
  const auto reasons = counters.of_service(service.number);
  for (unsigned i = 0; i < reasons.size(); i++) {
    if (reasons[i].packets == 0) continue;
    auto with_reason = labels;
    with_reason.emplace_back("reason", reason_name(static_cast<lb_reason>(i)));
    metrics.add("xdp_lb_service_reason", with_reason, reasons[i]);
  }
  const auto slots = state.slots_of(service);
  for (const auto& backend : backends) {
    auto its = labels;
    its.emplace_back("backend", backend.id.to_string());
    add_backend(metrics, backend, its, counters.of_backend(backend.handle));
    metrics.add("xdp_lb_backend_slots", its, std::uint64_t{slots[backend.handle]});
    metrics.add("xdp_lb_backend_flows", its, epochs.backends[backend.handle].flows);
  }
}

void add_host(Metrics& metrics, const std::string& pin_path, const Epochs& epochs) {
  metrics.add("xdp_lb_flows_remembered_total", {}, epochs.counters.made);
  metrics.add("xdp_lb_flows_evicted_total", {}, epochs.counters.evicted);
  metrics.add("xdp_lb_flows_refused_total", {}, epochs.counters.refused);
  metrics.add("xdp_lb_flows_remembered", {}, epochs.used);
  metrics.add("xdp_lb_flows_capacity", {}, epochs.capacity);
  for (const auto& place : places({}, pin_path))
    if (const auto* ours = place.chain.ours())
      metrics.add("xdp_lb_interface_running", {{"interface", place.interface.name}},
                  std::uint64_t{ours->running});
  for (const auto& map : map_memory(pin_path))
    metrics.add("xdp_lb_memory_bytes", {{"map", std::string(map.map)}}, map.bytes);
}

}  // namespace

int run_metrics(const Arguments& arguments) {
  Command command("metrics", "Prints counters and states in the text format of Prometheus.", "");
  if (!command.parse(arguments)) return 0;
  const PinLock lock(command.pin_path(), Access::read);
  const Pins pins(command.pin_path(), Access::read);
  const State state(pins);
  const auto epochs = state.epochs();
  Metrics metrics;
  describe(metrics);
  add_reasons(metrics, total_reasons(pins, state));
  const Counters counters(pins);
  const auto forwarded = state.forwarded({});
  const auto members = state.members();
  for (const auto& service : state.services()) {
    metrics.add("xdp_lb_service_forwarded", {{"service", service.id.to_string()}},
                forwarded[service.number]);
    add_service(metrics, counters, state, epochs, service, members[service.number]);
  }
  add_host(metrics, command.pin_path(), epochs);
  if (command.json())
    print_json(metrics.json());
  else
    metrics.print();
  return 0;
}

}  // namespace xdplb
