// SPDX-License-Identifier: GPL-2.0-only
// The command line: the verbs, and what all of them share.
#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdplb {

using Arguments = std::vector<std::string>;

struct Item {
  std::string_view word, text;
};
std::vector<Item> items_of(std::span<const std::string_view> words);

// A verb's options and parameters, and what the user gave.
class Command {
 public:
  // parameters: what follows the options, as the usage line shows it: "SERVICE ADDRESS[:PORT]";
  // a word in [] may be missing, and a last word that ends in ... may be repeated.
  Command(std::string verb, std::string summary, std::string parameters);

  // An option's value, as its help shows it: FILE, or one of words, on|off. Completions offer
  // these.
  Command& flag(const char* name, const char* text);
  Command& option(const char* name, const std::string& value, const char* text);
  Command& repeated(const char* name, const char* value, const char* text);  // an option
  // What there is for a value that is a list with commas, below the options.
  Command& list(const std::string& value, const std::vector<Item>& items);
  Command& epilogue(std::string text);

  // False where --help or --version was asked for, and answered. Throws Error.
  bool parse(const Arguments& arguments);

  [[nodiscard]] bool has(const std::string& flag) const { return values_.count(flag) != 0; }
  [[nodiscard]] std::optional<std::string> get(const std::string& option) const;
  [[nodiscard]] Arguments all(const std::string& repeated) const;
  // From 1 to a day, where the option was given. Throws Error.
  [[nodiscard]] std::optional<unsigned long> seconds(const std::string& option) const;
  [[nodiscard]] const Arguments& parameters() const { return given_; }
  // In one spelling, however it was given: locks and changes that wait go by it.
  [[nodiscard]] std::string pin_path() const;
  [[nodiscard]] bool json() const { return has("json"); }

 private:
  void print_help() const;
  void check_parameters() const;

  std::string verb_, summary_, usage_, lists_, epilogue_;
  boost::program_options::options_description options_;
  boost::program_options::variables_map values_;
  Arguments given_;
};

struct Verb {
  std::string_view name;  // "load", "service add"
  std::string_view summary;
  int (*run)(const Arguments& arguments);
};

int run_load(const Arguments& arguments);
int run_unload(const Arguments& arguments);
int run_upgrade(const Arguments& arguments);
int run_status(const Arguments& arguments);
int run_metrics(const Arguments& arguments);
int run_drops(const Arguments& arguments);
int run_stats(const Arguments& arguments);
int run_trace(const Arguments& arguments);
int run_check(const Arguments& arguments);
int run_service_add(const Arguments& arguments);
int run_service_set(const Arguments& arguments);
int run_service_del(const Arguments& arguments);
int run_service_list(const Arguments& arguments);
int run_backend_add(const Arguments& arguments);
int run_backend_set(const Arguments& arguments);
int run_backend_del(const Arguments& arguments);
int run_backend_drain(const Arguments& arguments);
int run_backend_up(const Arguments& arguments);
int run_backend_down(const Arguments& arguments);
int run_backend_list(const Arguments& arguments);
int run_backend_setup(const Arguments& arguments);
int run_peer_add(const Arguments& arguments);
int run_peer_del(const Arguments& arguments);
int run_peer_list(const Arguments& arguments);
int run_settle(const Arguments& arguments);
int run_plan(const Arguments& arguments);
int run_apply(const Arguments& arguments);
int run_confirm(const Arguments& arguments);
int run_save(const Arguments& arguments);
int run_simulate(const Arguments& arguments);
int run_digest(const Arguments& arguments);
int run_announce(const Arguments& arguments);
int run_import_ipvs(const Arguments& arguments);
int run_import_keepalived(const Arguments& arguments);

// Finds the verb and runs it. Returns the exit code.
int run_cli(const Arguments& arguments);

}  // namespace xdplb
