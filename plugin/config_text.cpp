// SPDX-License-Identifier: GPL-2.0-only
// to_text().
#include "plugin/config.h"
#include "plugin/hex.h"

namespace xdplb {

namespace {

class Text {
 public:
  void table(const char* name) { text_ += std::string(text_.empty() ? "" : "\n") + name + "\n"; }
  void line(const char* key, const std::string& value) {
    text_ += std::string(key) + " = " + value + "\n";
  }
  void line(const char* key, std::uint64_t value) { line(key, std::to_string(value)); }
  void quoted(const char* key, std::string_view value) { line(key, quote(value)); }
  template <typename Value>
  void differing(const char* key, const Value& value, const Value& usual) {
    if (value != usual) quoted(key, to_string(value));
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

  // Names of interfaces can have any characters.
  static std::string quote(std::string_view value) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string quoted = "\"";
    for (const auto c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\')
        quoted += '\\';
      else if (byte < 0x20 || byte == 0x7f) {
        quoted += std::string("\\u00") + digits[byte >> 4] + digits[byte & 15];
        continue;
      }
      quoted += c;
    }
    return quoted + '"';
  }

 private:
  std::string text_;
};

std::string peers_text(const std::vector<Peer>& peers) {
  std::string text;
  for (const auto& peer : peers) text += (text.empty() ? "" : ", ") + Text::quote(to_string(peer));
  return "[" + text + "]";
}

void add_interface(Text& text, const InterfaceConfig& interface) {
  text.table("[[interface]]");
  text.quoted("name", interface.name);
  if (interface.skb) text.quoted("mode", "skb");
  if (interface.priority) text.line("priority", *interface.priority);
  if (interface.actions) text.quoted("actions", *interface.actions);
}

void add_options(Text& text, const ServiceOptions& options, const ServiceOptions& usual) {
  text.differing("forward", options.forward, usual.forward);
  text.differing("balance", options.balance, usual.balance);
  if (options.gue_port != usual.gue_port) text.line("gue-port", options.gue_port);
  if (options.pool.count != 0) text.quoted("pool", options.pool.to_string());
  text.differing("fragments", options.fragments, usual.fragments);
  if (options.source_prefix != 0) text.line("affinity", options.source_prefix);
  if (options.ping) text.line("ping", "true");
  text.differing("state", options.remember, usual.remember);
  if (options.epoch != usual.epoch) text.line("epoch", options.epoch);
  text.differing("on-down", options.on_down, usual.on_down);
  text.differing("last-resort", options.last_resort, usual.last_resort);
  if (options.second_chance) text.line("second-chance", "true");
}

void add_backend(Text& text, const BackendConfig& backend) {
  text.table("[[service.backend]]");
  text.quoted("address", backend.id.to_string());
  if (backend.weight != 1) text.line("weight", backend.weight);
  if (backend.forward) text.quoted("forward", to_string(*backend.forward));
  if (backend.next_hop) text.quoted("next-hop", backend.next_hop->to_string());
  if (backend.state) text.quoted("state", to_string(*backend.state));
}

}  // namespace

std::string to_text(const Config& config) {
  Text text;
  if (config.cluster_key) text.quoted("cluster-key", hex(*config.cluster_key));
  if (config.arena) text.quoted("arena", std::to_string(*config.arena >> 10) + "K");
  if (config.flows) text.line("flows", *config.flows);
  if (config.exceptions) text.line("exceptions", *config.exceptions);
  if (config.peers) text.line("peers", peers_text(*config.peers));
  if (config.interfaces && config.interfaces->empty()) text.line("interface", "[]");
  if (config.interfaces)
    for (const auto& interface : *config.interfaces) add_interface(text, interface);
  for (const auto& service : config.services) {
    text.table("[[service]]");
    text.quoted("address", service.id.to_string());
    if (service.slots && *service.slots != default_slots) text.line("slots", *service.slots);
    add_options(text, service.options, default_options(service.id));
    for (const auto& backend : service.backends) add_backend(text, backend);
  }
  return text.take();
}

}  // namespace xdplb
