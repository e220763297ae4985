// SPDX-License-Identifier: GPL-2.0-only
#include "loader/cli.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "plugin/address.h"
#include "plugin/error.h"
#include "plugin/pins.h"

namespace po = boost::program_options;

namespace xdplb {

namespace {

constexpr unsigned long day = 86400;  // seconds

constexpr std::array verbs{
    Verb{"load", "load the component on interfaces", run_load},
    Verb{"unload", "unload it from interfaces", run_unload},
    Verb{"upgrade", "run another version of it, without a gap", run_upgrade},
    Verb{"status", "show chains, services and why packets left", run_status},
    Verb{"service add", "add a service", run_service_add},
    Verb{"service set", "change a service", run_service_set},
    Verb{"service del", "delete a service and its backends", run_service_del},
    Verb{"service list", "list the services", run_service_list},
    Verb{"backend add", "add a backend to a service", run_backend_add},
    Verb{"backend set", "change a backend", run_backend_set},
    Verb{"backend del", "delete a backend", run_backend_del},
    Verb{"backend drain", "give a backend no new flows", run_backend_drain},
    Verb{"backend up", "give it new flows again", run_backend_up},
    Verb{"backend down", "take it out: it doesn't answer", run_backend_down},
    Verb{"backend list", "list the backends", run_backend_list},
    Verb{"backend-setup", "print what a backend needs", run_backend_setup},
    Verb{"peer add", "add another node of the same services", run_peer_add},
    Verb{"peer del", "delete such a node", run_peer_del},
    Verb{"peer list", "list the other nodes", run_peer_list},
    Verb{"settle", "finish what waited for flows to end", run_settle},
    Verb{"plan", "show what a configuration file would change", run_plan},
    Verb{"apply", "make what runs what a configuration file says", run_apply},
    Verb{"confirm", "keep a change that would be taken back", run_confirm},
    Verb{"save", "print what runs as a configuration file", run_save},
    Verb{"import ipvs", "make a configuration file of IPVS's rules", run_import_ipvs},
    Verb{"import keepalived", "make one of keepalived's virtual servers", run_import_keepalived},
    Verb{"simulate", "show what events would do to flows", run_simulate},
    Verb{"digest", "show whether nodes decide alike", run_digest},
    Verb{"announce", "have routing daemons announce VIPs", run_announce},
    Verb{"stats", "show counters of services and backends", run_stats},
    Verb{"drops", "show why packets were dropped, or which are", run_drops},
    Verb{"metrics", "print counters for Prometheus", run_metrics},
    Verb{"trace", "show what becomes of a packet, and why", run_trace},
    Verb{"check", "examine this host and the ways to backends", run_check},
};

void print_version() { std::cout << "xdp-lb " XDP_LB_VERSION "\n"; }

// The help of all verbs, or of those that start with a word, as "service".
void print_verbs(std::ostream& out, const std::string& word) {
  out << "Usage: xdp-lb " << (word.empty() ? "VERB" : word + " VERB")
      << " [OPTION...] [PARAMETER...]\n\n";
  if (word.empty()) out << "A layer-4 load balancer as a component of a libxdp chain.\n\n";
  for (const auto& verb : verbs)
    if (word.empty() || verb.name.starts_with(word + " "))
      out << "  " << std::left << std::setw(19) << verb.name << verb.summary << "\n";
  out << "\n'xdp-lb " << (word.empty() ? "VERB" : word + " VERB")
      << " --help' describes a verb, xdp-lb(8) all of them.\n";
}

bool is_group(const std::string& word) {
  return std::ranges::any_of(verbs,
                             [&](const auto& verb) { return verb.name.starts_with(word + " "); });
}

// The words of a usage line: how many parameters there must and may be.
struct Arity {
  std::size_t least = 0;
  std::size_t most = 0;
};

Arity arity_of(const std::string& parameters) {
  Arity arity;
  std::istringstream words(parameters);
  for (std::string word; words >> word;) {
    const bool many = word.find("...") != std::string::npos;
    const bool optional = word.starts_with('[') && word.find("]:") == std::string::npos;
    if (!optional) arity.least++;
    arity.most = many ? static_cast<std::size_t>(-1) : arity.most + 1;
  }
  return arity;
}

}  // namespace

std::vector<Item> items_of(std::span<const std::string_view> words) {
  std::vector<Item> items;
  for (const auto word : words) items.push_back({word, {}});
  return items;
}

Command::Command(std::string verb, std::string summary, std::string parameters)
    : verb_(std::move(verb)),
      summary_(std::move(summary)),
      usage_(std::move(parameters)),
      options_("Options", 100, 60) {}

Command& Command::flag(const char* name, const char* text) {
  options_.add_options()(name, text);
  return *this;
}

Command& Command::option(const char* name, const std::string& value, const char* text) {
  options_.add_options()(name, po::value<std::string>()->value_name(value), text);
  return *this;
}

Command& Command::repeated(const char* name, const char* value, const char* text) {
  options_.add_options()(name, po::value<Arguments>()->value_name(value), text);
  return *this;
}

Command& Command::list(const std::string& value, const std::vector<Item>& items) {
  std::ostringstream text;
  text << "\n" << value << ":\n" << std::left;
  for (const auto& item : items)
    if (item.text.empty())
      text << "  " << item.word << "\n";
    else
      text << "  " << std::setw(17) << item.word << item.text << "\n";
  lists_ += text.str();
  return *this;
}

Command& Command::epilogue(std::string text) {
  epilogue_ = std::move(text);
  return *this;
}

std::optional<std::string> Command::get(const std::string& option) const {
  if (!has(option)) return std::nullopt;
  return values_[option].as<std::string>();
}

Arguments Command::all(const std::string& repeated) const {
  return has(repeated) ? values_[repeated].as<Arguments>() : Arguments{};
}

std::string Command::pin_path() const {
  namespace fs = std::filesystem;
  auto given = *get("pin-path");
  if (given.empty()) return given;
  std::error_code error;
  auto path = fs::absolute(given, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // after a slash
  path = fs::weakly_canonical(path, error);
  return error ? given : path.string();
}

std::optional<unsigned long> Command::seconds(const std::string& option) const {
  const auto text = get(option);
  if (!text) return std::nullopt;
  const auto seconds = parse_number(*text, 1, day);
  if (!seconds)
    throw Error("--" + option + " '" + *text + "' is not a number of seconds from 1 to " +
                std::to_string(day));
  return seconds;
}

void Command::print_help() const {
  std::cout << "Usage: xdp-lb " << verb_ << " [OPTION...]" << (usage_.empty() ? "" : " ") << usage_
            << "\n\n"
            << summary_ << "\n\n"
            << options_ << lists_;
  if (!epilogue_.empty()) std::cout << "\n" << epilogue_ << "\n";
}

void Command::check_parameters() const {
  const auto arity = arity_of(usage_);
  const auto hint = "usage: xdp-lb " + verb_ + " [OPTION...] " + usage_;
  if (given_.size() < arity.least) throw Error(verb_ + ": parameters are missing", hint);
  if (given_.size() > arity.most)
    throw Error(verb_ + ": unexpected parameter '" + given_[arity.most] + "'", hint);
}

bool Command::parse(const Arguments& arguments) {
  options_.add_options()(
      "pin-path,p",
      po::value<std::string>()->value_name("PATH")->default_value(std::string(default_pin_path)),
      "the folder of bpffs with the maps");
  options_.add_options()("json,j", "print JSON");
  options_.add_options()("help,h", "print this help");
  options_.add_options()("version", "print the version");

  po::options_description known;
  known.add(options_).add_options()("parameter", po::value<Arguments>());
  po::positional_options_description positional;
  positional.add("parameter", -1);
  const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  try {
    const auto parsed =
        po::command_line_parser(arguments).options(known).positional(positional).style(style).run();
    for (const auto& option : parsed.options)  // the parameters' own name can't be given
      if (option.string_key == "parameter" && option.position_key < 0)
        throw po::unknown_option("--parameter");
    po::store(parsed, values_);
  } catch (const po::error& error) {
    throw Error(verb_ + ": " + error.what(), "'xdp-lb " + verb_ + " --help' lists the options");
  }
  if (has("help") || has("version")) {
    has("help") ? print_help() : print_version();
    return false;
  }
  given_ = all("parameter");
  check_parameters();
  return true;
}

int run_cli(const Arguments& arguments) {
  // A group's verb has two words: an option or the end takes the place of either.
  const std::string group = !arguments.empty() && is_group(arguments[0]) ? arguments[0] : "";
  const std::size_t at = group.empty() ? 0 : 1;
  if (arguments.size() <= at) {
    print_verbs(std::cerr, group);
    return 2;
  }
  const auto& word = arguments[at];
  if (word == "--help" || word == "-h") return print_verbs(std::cout, group), 0;
  if (word == "--version") return print_version(), 0;
  const auto prefix = group.empty() ? "" : group + " ";
  const auto verb = std::ranges::find(verbs, prefix + word, &Verb::name);
  if (verb == verbs.end())
    throw Error("unknown verb '" + prefix + word + "'",
                "'xdp-lb " + prefix + "--help' lists the verbs");
  const auto rest = arguments.begin() + static_cast<std::ptrdiff_t>(at) + 1;
  return verb->run(Arguments(rest, arguments.end()));
}

}  // namespace xdplb
