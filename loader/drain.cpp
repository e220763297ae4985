// SPDX-License-Identifier: GPL-2.0-only
// The states of a backend.
#include <chrono>
#include <iostream>
#include <thread>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/upgrade.h"

namespace xdplb {

namespace {

constexpr unsigned long longest_wait = 1'000'000;
constexpr auto forever = std::chrono::steady_clock::time_point::max();

Notes set_state(const Command& command, BackendState wanted) {
  const auto id = ServiceId::parse(command.parameters()[0]);
  const auto backend = BackendId::parse(command.parameters()[1]);
  const ChangeLock lock(command.pin_path());
  const Pins pins(command.pin_path(), Access::change);
  State state(pins);
  const auto before = state.find_backend(state.service(id), backend);
  // One that is being deleted drains already.
  if (wanted == BackendState::drain && before && before->state == BackendState::leaving) return {};
  BackendChange change;
  change.state = wanted;
  state.set_backend(id, backend, change);
  return attend_change(pins, state, id, backend);
}

int run_set(Command& command, const Arguments& arguments, BackendState wanted) {
  if (!command.parse(arguments)) return 0;
  print_notes(set_state(command, wanted), command.json());
  return 0;
}

// What is left of its flows now; nothing once the backend itself is gone.
BackendFlows flows_left(const Command& command) {
  const PinLock lock(command.pin_path(), Access::read);
  const Pins pins(command.pin_path(), Access::read);
  const State state(pins);
  const auto service = state.service(ServiceId::parse(command.parameters()[0]));
  const auto backend = state.find_backend(service, BackendId::parse(command.parameters()[1]));
  if (!backend) return {};
  return state.epochs().backends[backend->handle];
}

void print_left(const BackendFlows& left, bool json) {
  if (json) {
    const Json line{
        {"flows", left.flows}, {"phase_1", left.phase_1}, {"last_resort", left.last_resort}};
    std::cout << json_line(line) << std::endl;
    return;
  }
  std::cout << "Flows left: " << (left.phase_1 ? "at least " : "") << left.flows
            << (left.last_resort ? ", and new ones, as the last resort" : "") << std::endl;
}

// Says what is left whenever that changes.
void wait_for_flows(const Command& command, std::chrono::steady_clock::time_point end) {
  BackendFlows said;
  for (bool first = true;; first = false) {
    const auto left = flows_left(command);
    if (first || left != said) print_left(left, command.json());
    if (left.none()) return;
    said = left;
    if (std::chrono::steady_clock::now() >= end)
      throw NotLoaded("backend " + command.parameters()[1] + " has flows left",
                      "it drains on; wait again, or see 'xdp-lb backend list'");
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace

int run_backend_drain(const Arguments& arguments) {
  Command command("backend drain", "Gives a backend no new connections; those that it has stay.",
                  "VIP:PORT/PROTO ADDRESS[:PORT] [SECONDS]");
  command.flag("wait", "wait until none is left, for SECONDS at the most if they are given")
      .epilogue("Exit status 3: after SECONDS there were flows left.");
  if (!command.parse(arguments)) return 0;
  auto end = forever;
  if (command.parameters().size() == 3) {
    const auto& text = command.parameters()[2];
    const auto seconds = parse_number(text, 0, longest_wait);
    if (!command.has("wait") || !seconds)
      throw Error("backend drain: unexpected parameter '" + text + "'",
                  "a number of seconds can be given with --wait");
    end = std::chrono::steady_clock::now() + std::chrono::seconds(*seconds);
  }
  const auto notes = set_state(command, BackendState::drain);
  if (!command.has("wait") || !notes.empty()) print_notes(notes, command.json());
  std::cerr.flush();  // it may be long until the end
  if (command.has("wait")) wait_for_flows(command, end);
  return 0;
}

int run_backend_up(const Arguments& arguments) {
  Command command("backend up", "Gives a backend new flows again.",
                  "VIP:PORT/PROTO ADDRESS[:PORT]");
  return run_set(command, arguments, BackendState::up);
}

int run_backend_down(const Arguments& arguments) {
  Command command("backend down",
                  "Takes a backend out that doesn't answer; --on-down of its service says what "
                  "becomes of its flows.",
                  "VIP:PORT/PROTO ADDRESS[:PORT]");
  return run_set(command, arguments, BackendState::down);
}

}  // namespace xdplb
