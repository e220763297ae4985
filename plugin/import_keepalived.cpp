// SPDX-License-Identifier: GPL-2.0-only
// import_keepalived(): virtual servers and the groups that they name.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "plugin/importer.h"
#include "plugin/keepalived_text.h"

namespace xdplb {

namespace {

std::string word(const Statement& statement, std::size_t index) {
  return index < statement.words.size() ? statement.words[index] : std::string();
}

const Statement* find(const std::vector<Statement>& all, std::string_view name,
                      std::string_view other = {}) {
  const auto found = std::ranges::find_if(all, [&](const auto& statement) {
    return word(statement, 0) == name || (!other.empty() && word(statement, 0) == other);
  });
  return found == all.end() ? nullptr : &*found;
}

std::string with_port(const std::string& address, const std::string& port) {
  if (port.empty()) return address;
  return (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + port;
}

// All addresses of 192.0.2.3-10 or 2001:db8::3-10, which differ in their last part.
std::vector<std::string> addresses_of(const std::string& range) {
  const auto dash = range.find('-');
  if (dash == std::string::npos) return {range};
  const auto first = range.substr(0, dash);
  const bool v4 = first.find(':') == std::string::npos;
  const auto start = first.find_last_of(v4 ? '.' : ':');
  const int base = v4 ? 10 : 16;
  std::vector<std::string> all;
  try {
    const auto low = std::stoul(first.substr(start + 1), nullptr, base);
    const auto high = std::stoul(range.substr(dash + 1), nullptr, base);
    if (low > high || high > (v4 ? 0xffU : 0xffffU)) throw Error("'" + range + "' is no range");
    if (high - low >= LB_SERVICES) throw Error("'" + range + "' has too many addresses");
    for (auto last = low; last <= high; last++) {
      auto bytes = Address::parse(first).bytes();
      bytes[15] = static_cast<std::uint8_t>(last);
      if (!v4) bytes[14] = static_cast<std::uint8_t>(last >> 8);
      all.push_back(Address(bytes).to_string());
    }
  } catch (const std::logic_error&) {
    throw Error("'" + range + "' is no range");
  }
  return all;
}

// What a statement that isn't carried over is for; nothing where it's unknown.
std::string_view remark(const std::string& name) {
  constexpr std::string_view checks =
      "backends are not checked: a checker calls 'xdp-lb backend down' and 'up'";
  constexpr std::string_view sorry = "there is none: see last-resort in xdp-lb.toml(5)";
  static const std::map<std::string, std::string_view, std::less<>> known{
      {"delay_loop", checks},
      {"delay_before_retry", checks},
      {"retry", checks},
      {"warmup", checks},
      {"connect_timeout", checks},
      {"alpha", checks},
      {"omega", checks},
      {"quorum", checks},
      {"hysteresis", checks},
      {"quorum_up", checks},
      {"quorum_down", checks},
      {"notify_up", checks},
      {"notify_down", checks},
      {"virtualhost", checks},
      {"ha_suspend", checks},
      {"smtp_alert", checks},
      {"inhibit_on_failure", "flows of a backend that is down stay with on-down = \"keep\""},
      {"sorry_server", sorry},
      {"sorry_server_inhibit", sorry},
      {"persistence_engine", "there are none"},
      {"ops", "flows stay together"},
      {"sh-fallback", fallback_remark},
      {"mh-fallback", fallback_remark},
      {"uthreshold", "connections are not counted"},
      {"lthreshold", "connections are not counted"},
      {"include", "it isn't followed: import that file by itself"},
  };
  if (const auto found = known.find(name); found != known.end()) return found->second;
  const bool check = name.ends_with("_CHECK") || name.ends_with("_GET");
  return check ? checks : std::string_view();
}

// What is outside of virtual servers.
std::string outside(const std::string& name) {
  if (const auto text = remark(name); !text.empty()) return std::string(text);
  if (name.starts_with('$')) return "definitions are not put in where they are used";
  if (name.starts_with('@')) return "conditions are not looked at";
  return "it isn't about services: keepalived goes on with it";
}

class Keepalived {
 public:
  Imported read(const std::vector<Statement>& all) {
    for (const auto& statement : all)
      if (word(statement, 0) == "virtual_server_group") groups_[word(statement, 1)] = &statement;
    for (const auto& statement : all) {
      const auto name = word(statement, 0);
      if (name == "virtual_server")
        attempt(importer_, statement.line, [&] { add(statement); });
      else if (name != "virtual_server_group")
        importer_.leave(statement.line, statement.to, name + ": " + outside(name));
    }
    for (const auto& [name, group] : groups_)
      if (!used_.contains(name))
        importer_.leave(group->line, group->to, "no virtual_server has group " + name);
    return importer_.finish();
  }

 private:
  void add(const Statement& server) {
    const auto services = services_of(server);
    if (services.empty())
      return importer_.leave(server.line, server.to, "no service of it is carried over");
    for (const auto service : services) {
      for (const auto& statement : server.inner)
        attempt(importer_, statement.line, [&] { read(service, server, statement); });
    }
  }

  std::vector<std::size_t> services_of(const Statement& server) {
    const auto* named = find(server.inner, "protocol");
    auto protocol = named == nullptr ? std::string("tcp") : word(*named, 1);
    std::ranges::transform(protocol, protocol.begin(),
                           [](unsigned char c) { return std::tolower(c); });
    std::vector<std::size_t> all;
    const auto add_one = [&](const Statement& from, std::size_t first) {
      attempt(importer_, from.line, [&] {
        if (word(from, first) == "fwmark")
          throw Error("fwmark: services are known by address, port and protocol");
        const auto port = word(from, first + 1);
        for (const auto& address : addresses_of(word(from, first)))
          all.push_back(importer_.add_service(
              from.line,
              ServiceId::parse(with_port(address, port.empty() ? "0" : port) + "/" + protocol)));
      });
    };
    if (word(server, 1) != "group") {
      add_one(server, 1);
      return all;
    }
    const auto group = groups_.find(word(server, 2));
    if (group == groups_.end()) throw Error("there is no group " + word(server, 2));
    used_.insert(group->first);
    for (const auto& member : group->second->inner) add_one(member, 0);
    return all;
  }

  void read(std::size_t service, const Statement& server, const Statement& statement) {
    const auto name = word(statement, 0);
    const auto line = statement.line;
    if (name == "real_server") return add_backend(service, server, statement);
    if (name == "lb_algo" || name == "lvs_sched") {
      std::string flags;
      for (const auto& other : server.inner) flags += word(other, 0) + " ";
      return importer_.schedule(line, service, word(statement, 1), flags);
    }
    if (name == "persistence_timeout") {
      const auto* mask = find(server.inner, "persistence_granularity");
      importer_.persist(line, service, mask == nullptr ? std::string() : word(*mask, 1));
      return importer_.leave(line, name + ": it is affinity, which has no timeout");
    }
    static const std::set<std::string> read_elsewhere{
        "protocol", "lb_kind", "lvs_method", "persistence_granularity",
        "weight",   "sh-port", "mh-port"};
    if (!read_elsewhere.contains(name)) leave(statement);
  }

  void leave(const Statement& statement) {
    const auto name = word(statement, 0);
    const auto text = remark(name);
    importer_.leave(statement.line, statement.to,
                    name + ": " + std::string(text.empty() ? "it is not understood" : text));
  }

  // lb_kind DR|TUN|NAT, and TUN type gue port 6080 nocsum.
  static Forward forward_of(const Statement& method) {
    const auto kind = word(method, 1);
    if (kind == "DR") return Forward::l2;
    if (kind == "NAT") return Forward::nat;
    if (kind != "TUN") throw Error("'" + kind + "' is neither DR, TUN nor NAT");
    const auto type = std::ranges::find(method.words, "type");
    return type == method.words.end()
               ? Forward::ipip
               : tunnel_of(type + 1 == method.words.end() ? "none" : type[1]);
  }

  // What else there is of a tunnel, for the backend that was added last.
  void read_tunnel(std::size_t service, const Statement& method, Forward forward) {
    static const std::set<std::string> checksums{"nocsum", "csum", "remcsum"};
    std::string port;
    for (std::size_t i = 2; i < method.words.size(); i++) {
      const auto& option = method.words[i];
      if (option == "port")
        port = word(method, ++i);
      else if (checksums.contains(option))
        importer_.set_checksum(method.line, service, option);
      else if (option == "type")
        i++;
      else
        importer_.leave(method.line, option + ": it is not understood");
    }
    if (forward == Forward::gue) importer_.set_gue_port(method.line, service, port);
  }

  void add_backend(std::size_t service, const Statement& server, const Statement& real) {
    const auto* weight = find(real.inner, "weight");
    if (weight == nullptr) weight = find(server.inner, "weight");
    const auto text = weight == nullptr ? std::string("1") : word(*weight, 1);
    const auto number = parse_number(text, 0, max_weight);
    if (!number)
      throw Error("weight '" + text + "' is not a number from 0 to " + std::to_string(max_weight));
    const auto* method = find(real.inner, "lb_kind", "lvs_method");
    if (method == nullptr) method = find(server.inner, "lb_kind", "lvs_method");
    if (method == nullptr) throw Error("real_server without lb_kind");
    const auto forward = forward_of(*method);
    importer_.add_backend(real.line, service, with_port(word(real, 1), word(real, 2)),
                          static_cast<unsigned>(*number), forward);
    read_tunnel(service, *method, forward);
    for (const auto& statement : real.inner)
      if (&statement != weight && &statement != method) leave(statement);
  }

  Importer importer_;
  std::map<std::string, const Statement*> groups_;
  std::set<std::string> used_;
};

}  // namespace

Imported import_keepalived(std::string_view text, const std::string& name) {
  return Keepalived().read(parse_keepalived(text, name));
}

}  // namespace xdplb
