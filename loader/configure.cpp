// SPDX-License-Identifier: GPL-2.0-only
// The configuration file: plan, apply, save.
#include <cstdlib>
#include <iostream>

#include "loader/cli.h"
#include "loader/plan_output.h"
#include "plugin/chain.h"
#include "plugin/error.h"
#include "plugin/pending.h"
#include "plugin/privileges.h"

namespace xdplb {

namespace {

constexpr int changes_pending = 5;

std::optional<double> read_share(const Command& command) {
  const auto text = command.get("max-move");
  if (!text) return std::nullopt;
  std::size_t end = 0;
  double share = -1;
  try {
    share = std::stod(*text, &end);
  } catch (const std::logic_error&) {  // said below
  }
  if (end != text->size() || !(share >= 0 && share <= 100))
    throw Error("--max-move '" + *text + "' is not a percentage from 0 to 100");
  return share;
}

Plan make_plan(const Command& command, const Config& config) {
  require_bpffs(command.pin_path());
  require_privileges();
  const PinLock lock(command.pin_path(), Access::read);
  auto plan = plan_config(config, command.pin_path());
  if (const auto lack = plan.load.empty() ? std::nullopt : why_no_chain())
    plan.notes.push_back("a chain can't be made here: " + *lack +
                         ": 'xdp-lb apply' needs --single-ok");
  if (const auto share = read_share(command)) require_moves(plan, *share);
  return plan;
}

// What fails in between is taken back at once where it was to be confirmed.
Applied apply(const Config& config, const ApplyOptions& options, std::optional<Pending>& pending) {
  Applied applied;
  try {
    applied = apply_config(config, options);
  } catch (const Halfway& failure) {
    const std::string state = !pending             ? "a part of the file is applied"
                              : pending->go_back() ? "what ran before runs again"
                                                   : "a part of the file is applied, and can't be "
                                                     "taken back: the system log tells why";
    throw Halfway(std::string(failure.what()) + "; " + state, failure.hint());
  } catch (...) {
    if (pending) pending->forget();
    throw;
  }
  if (pending) applied.plan.is_empty() ? pending->forget() : pending->done();
  return applied;
}

constexpr auto max_move = "refuse where a service's change moves more of its slots";

}  // namespace

int run_plan(const Arguments& arguments) {
  Command command("plan", "Shows what applying a configuration file would change.", "FILE");
  command.flag("offline", "examine only the file; needs no privileges; not with --max-move")
      .option("max-move", "PERCENT", max_move)
      .epilogue("Exit status 0: nothing to do; 5: changes are pending.");
  if (!command.parse(arguments)) return 0;
  read_share(command);
  if (command.has("offline") && command.get("max-move"))
    throw Error("plan: --max-move is not for --offline",
                "leave one of the two out: what moves depends on what runs");
  const auto config = read_config(command.parameters()[0]);
  if (command.has("offline")) {
    if (command.json())
      print_json({{"services", config.services.size()}});
    else
      std::cout << command.parameters()[0] << ": " << config.services.size()
                << (config.services.size() == 1 ? " service" : " services")
                << ", without a mistake\n";
    return 0;
  }
  const auto plan = make_plan(command, config);
  command.json() ? print_json(to_json(plan)) : print_plan(plan);
  return plan.is_empty() ? 0 : changes_pending;
}

int run_apply(const Arguments& arguments) {
  Command command("apply", "Makes what runs what a configuration file says.", "FILE");
  command.option("max-move", "PERCENT", max_move)
      .option("confirm", "SECONDS", "go back after that time unless 'xdp-lb confirm' is run")
      .option("object,o", "OBJECT", "the BPF object file, if not the installed one")
      .flag("single-ok", "attach alone where the kernel can't have a chain");
  if (!command.parse(arguments)) return 0;
  ::unsetenv("LIBXDP_SKIP_DISPATCHER");
  const auto seconds = command.seconds("confirm");
  ApplyOptions options{command.pin_path(), command.get("object"), read_share(command),
                       command.has("single-ok")};
  const auto config = read_config(command.parameters()[0]);
  require_privileges();
  Turn turn(options.pin_path);
  require_none_pending(options.pin_path);
  std::optional<Pending> pending;
  if (seconds) pending.emplace(turn, config, options);
  if (pending && pending->guard(static_cast<unsigned>(*seconds))) std::_Exit(0);
  const auto applied = apply(config, options, pending);
  if (command.json()) {
    auto json = to_json(applied.plan);
    for (const auto& note : applied.notes) json["notes"].push_back(note);
    print_json(json);
  } else {
    print_plan(applied.plan);
    print_notes(applied.notes, false);
  }
  return 0;
}

int run_confirm(const Arguments& arguments) {
  Command command("confirm", "Keeps a change that 'apply --confirm' made.", "");
  if (!command.parse(arguments)) return 0;
  confirm_change(command.pin_path());
  print_notes({}, command.json());
  return 0;
}

int run_save(const Arguments& arguments) {
  Command command("save", "Prints what runs as a configuration file.", "");
  command.flag("full", "with the cluster key, which is a secret, and the states of all backends");
  if (!command.parse(arguments)) return 0;
  const PinLock lock(command.pin_path(), Access::read);
  const Pins pins(command.pin_path(), Access::read);
  const auto text =
      to_text(running_config(pins, command.has("full") ? Detail::full : Detail::usual));
  const auto notes = lost_next_hops(pins);
  if (command.json()) {
    print_json({{"file", text}, {"notes", notes}});
  } else {
    std::cout << text;
    print_notes(notes, false);
  }
  return 0;
}

}  // namespace xdplb
