// SPDX-License-Identifier: GPL-2.0-only
// Configurations of other balancers, as ours.
#include <iostream>

#include "loader/cli.h"
#include "loader/output.h"
#include "plugin/error.h"
#include "plugin/import.h"

namespace xdplb {

namespace {

std::string line_numbers(const Left& left) {
  auto text = std::to_string(left.from);
  if (left.to != left.from) text += "-" + std::to_string(left.to);
  return text;
}

void print(const Imported& imported, const std::string& file) {
  std::cout << "# imported from " << file << "; interfaces and all else are in xdp-lb.toml(5)\n"
            << to_text(imported.config);
  for (const auto& left : imported.left)
    std::cerr << file << ":" << line_numbers(left) << ": " << left.text << "\n";
}

Json to_json(const Imported& imported) {
  Json json{{"file", to_text(imported.config)}, {"left", Json::array()}};
  for (const auto& left : imported.left)
    json["left"].push_back({{"from", left.from}, {"to", left.to}, {"text", left.text}});
  return json;
}

template <typename Import>
int run(Command& command, const Arguments& arguments, Import import) {
  command.epilogue(
      "Prints a configuration file, and on standard error the lines that can't be carried over.");
  if (!command.parse(arguments)) return 0;
  const auto& file = command.parameters()[0];
  const auto text = read_file(file, "give the path of the file to import");
  const Imported imported = import(text, file);
  command.json() ? print_json(to_json(imported)) : print(imported, file);
  return 0;
}

}  // namespace

int run_import_ipvs(const Arguments& arguments) {
  Command command("import ipvs", "Makes a configuration file of what 'ipvsadm -Sn' printed.",
                  "FILE");
  return run(command, arguments,
             [](const std::string& text, const std::string&) { return import_ipvs(text); });
}

int run_import_keepalived(const Arguments& arguments) {
  Command command("import keepalived",
                  "Makes a configuration file of the virtual servers of keepalived.conf.", "FILE");
  return run(command, arguments, import_keepalived);
}

}  // namespace xdplb
