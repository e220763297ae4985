// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/component.h"
#include "plugin/upgrade.h"

namespace xdplb {

namespace {

unsigned changed_slots(const Epochs& epochs) {
  unsigned sum = 0;
  for (const auto& service : epochs.services) sum += service.changed;
  return sum;
}

}  // namespace

int run_settle(const Arguments& arguments) {
  Command command(
      "settle", "Finishes what waited for flows to end; has the kernel resolve all backends.", "");
  command.epilogue("Slots that no flow needs any more become clean, and deleted backends without\n"
                   "flows go.");
  if (!command.parse(arguments)) return 0;
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  State state(pins);
  const auto before = changed_slots(state.epochs());
  state.settle();
  const auto notes = release_gone(state);
  open_ways(pins, state);  // the kernel forgets neighbours with a link that is lost
  const auto left = changed_slots(state.epochs());
  const auto closed = before - std::min(left, before);
  Json gone = Json::array();
  for (const auto& backend : state.gone()) gone.push_back(backend.id.to_string());
  if (command.json())
    print_json(
        {{"closed_slots", closed}, {"changed_slots", left}, {"removed", gone}, {"notes", notes}});
  else
    std::cout << "Slots closed: " << closed << ", changed ones left: " << left
              << "; backends removed: " << gone.size() << "\n";
  if (!command.json()) print_notes(notes, false);
  return 0;
}

}  // namespace xdplb
