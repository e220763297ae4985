// SPDX-License-Identifier: GPL-2.0-only
// What both imports share: services as IPVS has them, and what it calls its choices.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/import.h"

namespace xdplb {

using Words = std::vector<std::string>;

class Importer {
 public:
  void leave(unsigned from, unsigned to, std::string text);
  void leave(unsigned line, std::string text) { leave(line, line, std::move(text)); }

  // An index; the same again for a service that is there already, which is left.
  std::size_t add_service(unsigned line, const ServiceId& id);
  [[nodiscard]] ServiceConfig& service(std::size_t index);
  // The service's forwarding mode is that of its first backend. Weight 0 drains.
  void add_backend(unsigned line, std::size_t service, std::string address, unsigned weight,
                   Forward forward);

  // IPVS's scheduler and its flags.
  void schedule(unsigned line, std::size_t service, const std::string& scheduler,
                const std::string& flags);
  // All of a source's flows go to one backend. mask: 255.255.255.0, or a prefix length; all of the
  // address where empty.
  void persist(unsigned line, std::size_t service, const std::string& mask);
  void set_gue_port(unsigned line, std::size_t service, const std::string& port);
  // nocsum, csum or remcsum, for the backend that was added last; option: as the line has it.
  void set_checksum(unsigned line, std::size_t service, const std::string& option);

  // Takes out what couldn't be applied.
  Imported finish();

 private:
  void take_out(const Mistake& mistake);

  Imported imported_;
  std::vector<bool> even_;  // services by index: weights don't count
  unsigned marks_ = 0;      // columns, which tell apart what comes from one line
};

// The mode of a tunnel of IPVS's; ipip where empty. Throws Error.
Forward tunnel_of(const std::string& type);

// Of sh-fallback and mh-fallback.
inline constexpr std::string_view fallback_remark =
    "new flows go to backends that take them, always";

// What throws Error leaves the line.
template <typename Action>
void attempt(Importer& importer, unsigned line, Action action) {
  try {
    action();
  } catch (const Error& error) {
    const auto& hint = error.hint();
    importer.leave(line, error.what() + (hint.empty() ? "" : "; " + hint));
  }
}

// The words of a line.
Words words_of(std::string_view line);

// Calls for each line, with its number.
template <typename Action>
void each_line(std::string_view text, Action action) {
  for (unsigned number = 1; !text.empty(); number++) {
    const auto end = text.find('\n');
    action(number, text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

}  // namespace xdplb
