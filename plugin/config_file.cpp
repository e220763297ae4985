// SPDX-License-Identifier: GPL-2.0-only
// parse_config().
#include <algorithm>

#include "plugin/actions.h"
#include "plugin/config_reader.h"

namespace xdplb {

namespace {

using Value = ConfigValue;

constexpr std::uint64_t most_priority = 0xffffffff;
constexpr std::uint64_t most_port = 65535;

// What is given, where it is.
template <typename Into, typename Given>
void take(Into& into, const std::optional<Given>& given) {
  if (given) into = static_cast<Given>(*given);
}

std::optional<bool> parse_attach_mode(std::string_view text) {
  if (text == "skb") return true;
  if (text == "native") return false;
  return std::nullopt;
}

std::optional<BackendState> parse_state(std::string_view text) {
  for (const auto state : {BackendState::up, BackendState::drain, BackendState::down})
    if (text == to_string(state)) return state;
  return std::nullopt;
}

ClusterKey to_key(const std::string& text) {
  const auto key = parse_cluster_key(text);
  if (!key) throw Error("cluster-key is not 32 hexadecimal digits", "give the same on every node");
  return *key;
}

std::uint32_t to_arena(const std::string& text) {
  const auto size = parse_arena(text);
  if (!size)
    throw Error("arena '" + text + "' is not a power of two from 64K to 1G", "write it like 32M");
  return *size;
}

std::string to_actions(const std::string& text) {
  parse_actions(text);
  return text;
}

unsigned to_prefix(const Value& value) {
  const auto* word = value.node().as_string();
  if (word != nullptr && word->get() == "flow") return 0;
  return static_cast<unsigned>(value.number(1, 128).value_or(0));
}

// Options of a service, which [defaults] has too; those that aren't there are left alone.
Value::Keys option_keys(ServiceChange& into) {
  return {
      {"forward", [&](const Value& v) { into.forward = v.word(parse_forward); }},
      {"balance", [&](const Value& v) { into.balance = v.word(parse_balance); }},
      {"gue-port", [&](const Value& v) { take(into.gue_port, v.number(1, most_port)); }},
      {"fragments", [&](const Value& v) { into.fragments = v.word(parse_fragments); }},
      {"affinity", [&](const Value& v) { into.source_prefix = to_prefix(v); }},
      {"second-chance", [&](const Value& v) { into.second_chance = v.flag(); }},
      {"ping", [&](const Value& v) { into.ping = v.flag(); }},
      {"pool", [&](const Value& v) { into.pool = v.parsed(Pool::parse); }},
      {"state", [&](const Value& v) { into.remember = v.word(parse_remember); }},
      {"epoch", [&](const Value& v) { take(into.epoch, v.number(1, max_epoch)); }},
      {"on-down", [&](const Value& v) { into.on_down = v.word(parse_on_down); }},
      {"last-resort", [&](const Value& v) { into.last_resort = v.word(parse_last_resort); }},
  };
}

// The value of a key as it is given, to name the table by; nothing where there is none.
std::string name_of(const Value& value, const char* key) {
  const auto* table = value.node().as_table();
  const auto* text = table != nullptr ? table->get_as<std::string>(key) : nullptr;
  return text != nullptr ? " " + text->get() : "";
}

// Does the table lack its name? Then that is a mistake.
bool lacks(const Value& value, const char* key, const std::string& what) {
  const auto* table = value.node().as_table();
  if (table == nullptr || table->contains(key)) return false;
  value.wrong(what + " has no " + key);
  return true;
}

constexpr auto backends_form = "[[service.backend]] for each, or [\"ADDRESS\", ...]";
constexpr auto backend_heading = "[[service.backend]], or its address in double quotes";

class Reader {
 public:
  explicit Reader(Mistakes& mistakes) : mistakes_(mistakes) {}

  Config read(const toml::table& document) {
    const Value all(mistakes_, "the file", document);
    // Before services, wherever they are.
    if (const auto* table = document.get("defaults"))
      unclear_ = Value(mistakes_, "defaults", *table)
                     .table("[defaults]", option_keys(defaults_), "[defaults]");
    all.table(
        "the file",
        {{"cluster-key",
          [&](const Value& v) {
            config_.key_at = v.at();
            take(config_.cluster_key, v.parsed(to_key));
          }},
         {"arena", [&](const Value& v) { take(config_.arena, v.parsed(to_arena)); }},
         {"flows", [&](const Value& v) { take(config_.flows, v.number(min_flows, max_flows)); }},
         {"exceptions", [&](const Value& v) { read_exceptions(v); }},
         {"defaults", [](const Value&) {}},
         {"peers", [&](const Value& v) { read_peers(v); }},
         {"interface", [&](const Value& v) { read_interfaces(v); }},
         {"service",
          [&](const Value& v) {
            for (const auto& one : v.elements("[[service]] for each")) read_service(one);
          }}},
        "");
    return std::move(config_);
  }

 private:
  void read_exceptions(const Value& value) {
    const auto given = value.number(min_flows, max_flows);
    if (given && (*given & (*given - 1)) != 0)
      value.wrong("exceptions is not a power of two");
    else if (given)
      config_.exceptions = static_cast<std::uint32_t>(*given);
  }

  void read_peers(const Value& value) {
    auto& all = config_.peers.emplace();
    const std::string form = "peers = [\"MAC or ADDRESS\", ...]";
    for (const auto& one : value.elements(form)) {
      const bool text = one.node().is_string();
      if (!text) one.wrong("a peer is not a text", "write " + form);
      const auto peer = text ? one.parsed(parse_peer) : std::nullopt;
      if (peer && std::ranges::find(all, *peer) != all.end())
        one.wrong("peer " + to_string(*peer) + " is there twice");
      take(all.emplace_back(), peer);
    }
    if (const auto wrong = too_many_peers(all)) value.wrong(*wrong);
  }

  void read_interfaces(const Value& value) {
    auto& all = config_.interfaces.emplace();
    for (const auto& one : value.elements("[[interface]] for each")) {
      InterfaceConfig into;
      into.at = one.at();
      const bool nameless = lacks(one, "name", "an interface");
      const auto unclear = one.table(
          "interface" + name_of(one, "name"),
          {{"name", [&](const Value& v) { take(into.name, v.parsed(parse_interface_name)); }},
           {"mode",
            [&](const Value& v) { take(into.skb, v.word(parse_attach_mode, "native nor skb")); }},
           {"priority", [&](const Value& v) { take(into.priority, v.number(0, most_priority)); }},
           {"actions", [&](const Value& v) { into.actions = v.parsed(to_actions); }}},
          "[[interface]]");
      if (!nameless && !unclear.contains("name")) all.push_back(std::move(into));
    }
  }

  void read_service(const Value& value) {
    ServiceConfig service;
    ServiceChange options;
    service.at = value.at();
    auto keys = option_keys(options);
    keys.emplace_back("address",
                      [&](const Value& v) { take(service.id, v.parsed(ServiceId::parse)); });
    keys.emplace_back("slots",
                      [&](const Value& v) { take(service.slots, v.number(min_slots, max_slots)); });
    keys.emplace_back("backend", [&](const Value& v) {
      for (const auto& one : v.elements(backends_form)) read_backend(one, service);
    });
    service.unclear = value.table("service" + name_of(value, "address"), keys, "[[service]]");
    if (lacks(value, "address", "a service")) service.unclear.emplace("address");
    const auto* table = value.node().as_table();
    for (const auto& key : unclear_)
      if (table == nullptr || !table->contains(key)) service.unclear.insert(key);
    service.options = changed(changed(default_options(service.id), defaults_), options);
    // What isn't understood is in no other service's way.
    if (service.unclear.contains("pool")) service.options.pool = {};
    if (service.unclear.contains("fragments")) service.options.fragments = Fragments::drop;
    for (auto& backend : service.backends)
      if (backend.id.port == service.id.port) backend.id.port = 0;
    config_.services.push_back(std::move(service));
  }

  static void read_backend(const Value& value, ServiceConfig& service) {
    auto& into = service.backends.emplace_back();
    into.at = value.at();
    if (value.node().is_string()) {
      const auto id = value.parsed(BackendId::parse);
      if (!id) into.unclear.emplace("address");
      return take(into.id, id);
    }
    into.unclear = value.table(
        "backend" + name_of(value, "address"),
        {{"address", [&](const Value& v) { take(into.id, v.parsed(BackendId::parse)); }},
         {"weight", [&](const Value& v) { take(into.weight, v.number(1, max_weight)); }},
         {"forward", [&](const Value& v) { into.forward = v.word(parse_forward); }},
         {"next-hop", [&](const Value& v) { into.next_hop = v.parsed(StaticHop::parse); }},
         {"state",
          [&](const Value& v) { into.state = v.word(parse_state, "up, drain nor down"); }}},
        backend_heading);
    if (lacks(value, "address", "a backend")) into.unclear.emplace("address");
  }

  Mistakes& mistakes_;
  ServiceChange defaults_{};
  Unclear unclear_{};  // of the defaults
  Config config_{};
};

}  // namespace

std::optional<std::uint32_t> parse_arena(std::string_view text) {
  constexpr unsigned long least = 1UL << 16;
  constexpr unsigned long most = LB_ARENA_MAX;
  unsigned shift = 0;
  const auto unit = std::string_view("KMG").find(text.empty() ? ' ' : text.back());
  if (unit != std::string_view::npos) {
    shift = 10 * (static_cast<unsigned>(unit) + 1);
    text.remove_suffix(1);
  }
  const auto size = parse_number(text, 1, most >> shift);
  if (!size || ((*size << shift) & ((*size << shift) - 1)) != 0 || (*size << shift) < least)
    return std::nullopt;
  return static_cast<std::uint32_t>(*size << shift);
}

Config parse_config(std::string_view text, const std::string& name) {
  Mistakes mistakes;
  Config config;
  try {
    config = Reader(mistakes).read(toml::parse(text, name));
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    mistakes.add({at.line, at.column}, std::string(error.description()));
  }
  for (const auto& [at, what, hint] : mistakes_of(config)) mistakes.add(at, what, hint);
  mistakes.require(name);
  config.name = name;
  return config;
}

}  // namespace xdplb
