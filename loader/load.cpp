// SPDX-License-Identifier: GPL-2.0-only
#include <bit>
#include <cstdlib>
#include <fstream>

#include "bpf/abi.h"
#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/actions.h"
#include "plugin/component.h"
#include "plugin/config.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

constexpr unsigned long max_priority = 0xffffffffUL;

Mode parse_mode(const std::string& text) {
  if (text == "native") return Mode::native;
  if (text == "skb") return Mode::skb;
  throw Error("mode '" + text + "' is neither native nor skb");
}

std::uint32_t read_arena(const std::string& text) {
  const auto size = parse_arena(text);
  if (!size)
    throw Error("arena size '" + text + "' is not a power of two from 64K to 1G",
                "write it like 32M");
  return *size;
}

ClusterKey read_key(const std::string& file) {
  std::ifstream in(file);
  std::string text;
  if (!(in >> text)) throw Error("can't read a cluster key from " + file);
  const auto key = parse_cluster_key(text);
  if (!key)
    throw Error(file + " holds no cluster key",
                "write 32 hexadecimal digits into it, the same on every node");
  return *key;
}

std::uint32_t parse_flows(const std::string& text) {
  const auto flows = parse_number(text, min_flows, max_flows);
  if (!flows)
    throw Error("flows '" + text + "' is not a number from " + std::to_string(min_flows) + " to " +
                std::to_string(max_flows));
  return static_cast<std::uint32_t>(*flows);
}

std::uint32_t parse_exceptions(const std::string& text) {
  const auto entries = parse_number(text, min_flows, max_flows);
  if (!entries || !std::has_single_bit(*entries))
    throw Error("exceptions '" + text + "' is not a power of two from " +
                std::to_string(min_flows) + " to " + std::to_string(max_flows));
  return static_cast<std::uint32_t>(*entries);
}

LoadOptions read_options(const Command& command) {
  LoadOptions options;
  options.pin_path = command.pin_path();
  options.object = command.get("object");
  if (const auto mode = command.get("mode")) options.chain.mode = parse_mode(*mode);
  if (const auto text = command.get("prio")) {
    const auto priority = parse_number(*text, 0, max_priority);
    if (!priority) throw Error("priority '" + *text + "' is not a number from 0 to 4294967295");
    options.chain.priority = static_cast<unsigned>(*priority);
  }
  if (const auto actions = command.get("actions")) options.chain.actions = parse_actions(*actions);
  if (const auto arena = command.get("arena")) options.arena_size = read_arena(*arena);
  if (const auto flows = command.get("flows")) options.flows = parse_flows(*flows);
  if (const auto text = command.get("exceptions")) options.exceptions = parse_exceptions(*text);
  if (const auto file = command.get("key-file")) options.cluster_key = read_key(*file);
  options.chain.single_ok = command.has("single-ok");
  return options;
}

}  // namespace

int run_load(const Arguments& arguments) {
  Command command("load", "Loads the component on interfaces, as one member of their XDP chains.",
                  "IFNAME...");
  command.option("mode,m", "native|skb", "in the driver (default), or in the network stack")
      .option("prio,P", "PRIO", "priority in the chain, lower runs first; 30 by default")
      .option("actions,A", "ACTIONS",
              "XDP actions on which the chain goes on after us, with commas; XDP_PASS by default")
      .option("object,o", "OBJECT", "the BPF object file, if not the installed one")
      .option("arena", "SIZE", "memory for tables, at the first load; 64M by default")
      .option("flows", "N",
              "how many flows of mode fullnat are known at once, at the first load; 65536 by "
              "default")
      .option(
          "exceptions", "N",
          "how many flows of changed slots are remembered at once, a power of two, at the first "
          "load; 1048576 by default")
      .option("key-file", "FILE", "the cluster key, 32 hexadecimal digits; random by default")
      .flag("single-ok", "attach alone where the kernel can't have a chain")
      .list("ACTIONS", items_of(action_names));
  if (!command.parse(arguments)) return 0;

  // With it libxdp would attach without a chain. --single-ok is the way to ask for that.
  ::unsetenv("LIBXDP_SKIP_DISPATCHER");
  const auto options = read_options(command);
  const auto notes = load_component(command.parameters(), options);
  if (command.json())
    print_json({{"loaded", command.parameters()}, {"notes", notes}});
  else
    print_notes(notes, false);
  return 0;
}

}  // namespace xdplb
