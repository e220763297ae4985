// SPDX-License-Identifier: GPL-2.0-only
#include "loader/figures.h"

#include <algorithm>
#include <cerrno>

#include "plugin/error.h"
#include "plugin/privileges.h"
#include "plugin/stats_socket.h"

namespace xdplb {

namespace {

// Root is who answers at the socket: it would ask itself, again and again.
bool may_ask(const std::string& pin_path, const SystemError& error) {
  const bool refused = error.error() == EACCES || error.error() == EPERM;
  return refused && pin_path == default_pin_path && !is_root();
}

void add_service(const Counters& counters, const Service& service,
                 const std::vector<Backend>& backends, const lb_counter& forwarded,
                 std::vector<Row>& rows) {
  const auto name = service.id.to_string();
  rows.push_back({name, "forwarded", forwarded});
  for (const auto& backend : backends)
    rows.push_back({name, backend.id.to_string(), counters.of_backend(backend.handle)});
  const auto reasons = counters.of_service(service.number);
  for (unsigned reason = 0; reason < reasons.size(); reason++)
    if (reasons[reason].packets != 0)
      rows.push_back(
          {name, std::string(reason_name(static_cast<lb_reason>(reason))), reasons[reason]});
}

Figures of_maps(const Pins& pins, const std::optional<ServiceId>& only) {
  const PinLock lock(pins.path(), Access::read);
  const State state(pins);
  Figures figures;
  const Counters counters(pins);
  std::optional<std::uint32_t> number;
  if (only) number = state.service(*only).number;
  const auto forwarded = state.forwarded(number);
  const auto members = state.members();
  for (const auto& service : state.services())
    if (service.number == number.value_or(service.number))
      add_service(counters, service, members[service.number], forwarded[service.number],
                  figures.rows);
  figures.reasons = total_reasons(pins, state);
  return figures;
}

// What 'stats --json' printed.
Figures parse(const std::string& text) {
  try {
    const auto json = Json::parse(text);
    Figures figures;
    for (const auto& row : json.at("services"))
      figures.rows.push_back({row.at("service"), row.at("what"), counter_of(row)});
    figures.reasons = reasons_of(json.at("reasons"));
    return figures;
  } catch (const Json::exception&) {
    throw SystemError(text.empty() ? ENODATA : EBADMSG, std::string("reading ") + stats_socket,
                      "load the component first; where it is, 'journalctl -u \"xdp-lb-stats@*\"' "
                      "tells what failed");
  }
}

Figures of_socket(const std::optional<ServiceId>& only, int refused) {
  const auto text = read_stats_socket();
  if (!text)
    throw SystemError(refused, "reading the maps in " + std::string(default_pin_path),
                      "be root, or a member of group xdp-lb with xdp-lb-stats.socket enabled");
  auto figures = parse(*text);
  if (!only) return figures;
  std::erase_if(figures.rows, [&](const Row& row) { return row.service != only->to_string(); });
  if (figures.rows.empty()) throw_no_service(*only);
  return figures;
}

}  // namespace

Json rows_json(const std::vector<Row>& rows) {
  Json json = Json::array();
  for (const auto& row : rows)
    json.push_back({{"service", row.service},
                    {"what", row.what},
                    {"packets", row.total.packets},
                    {"bytes", row.total.bytes}});
  return json;
}

FiguresSource::FiguresSource(const std::string& pin_path) {
  try {
    pins_.emplace(pin_path, Access::read);
  } catch (const SystemError& error) {
    if (!may_ask(pin_path, error)) throw;
    refused_ = error.error();
  }
}

Figures FiguresSource::read(const std::optional<ServiceId>& only) {
  if (pins_ && pinned_arena_id(pins_->path()) != pins_->arena_id()) {
    const auto path = pins_->path();  // unloaded, and perhaps loaded again
    pins_.emplace(path, Access::read);
  }
  return pins_ ? of_maps(*pins_, only) : of_socket(only, refused_);
}

}  // namespace xdplb
