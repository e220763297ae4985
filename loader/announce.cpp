// SPDX-License-Identifier: GPL-2.0-only
#include <csignal>
#include <ctime>
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/announce.h"
#include "plugin/error.h"
#include "plugin/interface.h"

namespace xdplb {

namespace {

std::string text_of(const Announcement& one) {
  return one.announced() ? "announced" : "withheld: " + one.why;
}

void print(const std::vector<Announcement>& all, bool json) {
  if (json) {
    Json list = Json::array();
    for (const auto& one : all) {
      list.push_back(
          {{"vip", one.vip.to_string()}, {"announced", one.announced()}, {"changed", one.changed}});
      if (!one.announced()) list.back()["why"] = one.why;
    }
    print_json(list);
    return;
  }
  TextTable table;
  table.row({"VIP", "State"});
  table.rule();
  for (const auto& one : all) table.row({one.vip.to_string(), text_of(one)});
  if (table.empty()) table.row({"<No VIPs>"});
  table.print();
}

void print_changes(const std::vector<Announcement>& all) {
  for (const auto& one : all)
    if (one.changed) std::cout << one.vip.to_string() << " " << text_of(one) << std::endl;
}

// Until it is told to end: then nothing is announced any more, and routers have some seconds to
// learn it. Where it is killed or fails, what was announced is.
void keep(const std::string& pin_path, unsigned long seconds, unsigned long linger,
          const Arguments& ifnames) {
  sigset_t ends;
  sigemptyset(&ends);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends, signal);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);  // they wait until they are asked for
  const timespec interval{static_cast<std::time_t>(seconds), 0};
  const timespec rest{static_cast<std::time_t>(linger), 0};
  do print_changes(announce(pin_path, Announce::what_runs, ifnames));
  while (::sigtimedwait(&ends, nullptr, &interval) < 0);
  const auto withdrawn = announce(pin_path, Announce::withdraw);
  print_changes(withdrawn);
  if (!withdrawn.empty()) ::sigtimedwait(&ends, nullptr, &rest);
}

}  // namespace

int run_announce(const Arguments& arguments) {
  Command command(
      "announce",
      "Keeps a route to each VIP that can be served here, for routing daemons to export.",
      "[IFNAME...]");
  command.flag("withdraw", "takes all of them back")
      .option("interval", "SECONDS", "again and again; withdraws when it is told to end")
      .option("linger", "SECONDS", "ends so long after that")
      .epilogue("The routes are of type blackhole, protocol 200, in the main table.");
  if (!command.parse(arguments)) return 0;
  if (command.has("withdraw") && !command.parameters().empty())
    throw Error("--withdraw takes back all VIPs", "name no interfaces");
  if (command.has("linger") && !command.has("interval"))
    throw Error("--linger is for what withdraws when it ends", "give it with --interval SECONDS");
  if (!command.has("interval")) {
    for (const auto& name : command.parameters()) (void)find_interface(name);
    const auto what = command.has("withdraw") ? Announce::withdraw : Announce::what_runs;
    print(announce(command.pin_path(), what, command.parameters()), command.json());
    return 0;
  }
  if (command.has("withdraw") || command.json())
    throw Error("--interval goes with neither --withdraw nor --json", "leave one of them out");
  keep(command.pin_path(), *command.seconds("interval"), command.seconds("linger").value_or(0),
       command.parameters());
  return 0;
}

}  // namespace xdplb
