// SPDX-License-Identifier: GPL-2.0-only
// The libxdp chain of an interface: reading it, joining it, leaving it.
//
// With libxdp.h, the only place that speaks libxdp. What libxdp does in silence is an error here: a
// program that was attached without a dispatcher, a dispatcher whose components are no longer
// linked to it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/error.h"
#include "plugin/interface.h"
#include "plugin/object.h"

struct xdp_program;

namespace xdplb {

enum class Mode : std::uint8_t { native, skb, hardware, unknown };
std::string_view to_string(Mode mode);

// Takes whatever is attached in that mode off the interface: a command of ip(8).
std::string off_command(const std::string& ifname, Mode mode);

inline constexpr unsigned default_priority = 30;  // as the object has it, with these
inline constexpr std::string_view default_actions = "XDP_PASS";
inline constexpr unsigned max_components = 10;  // libxdp's MAX_DISPATCHER_ACTIONS

struct Component {
  std::uint32_t id = 0;
  std::string name;
  std::string tag;
  unsigned priority = 0;
  std::string actions;   // on which the chain goes on: XDP_PASS,XDP_TX
  bool ours = false;     // uses our maps
  bool running = false;  // linked to the dispatcher that is attached; or attached by itself
};

struct Chain {
  enum class Kind : std::uint8_t {
    empty,       // no XDP program
    single,      // a program without a dispatcher
    dispatcher,  // a libxdp chain
    unpinned,    // a dispatcher whose pins are gone or in another bpffs: it passes everything
  };
  Kind kind = Kind::empty;
  Mode mode = Mode::unknown;
  Component main;  // the dispatcher, or the single program
  std::vector<Component> components;

  [[nodiscard]] const Component* ours() const;  // the first of ours
};

// arena_id: of the pinned map that tells our components from others; 0 where there is none.
// Throws Unsupported where the chain is a newer libxdp's.
Chain read_chain(const Interface& interface, std::uint32_t arena_id);

struct ChainOptions {
  Mode mode = Mode::native;
  std::optional<unsigned> priority;
  std::optional<unsigned> actions;  // bit mask, 1 << XDP_PASS
  bool single_ok = false;
  auto operator<=>(const ChainOptions&) const = default;
};

// The chain takes no program that grows packets: xdp_lb_inline.
class GrowthRefused : public Unsupported {
 public:
  using Unsupported::Unsupported;
};

// One copy of a program of the object, for several interfaces.
class Attachment {
 public:
  Attachment(Object object, const char* program, const ChainOptions& options);
  ~Attachment();
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  // Joins the interface's chain, and verifies that the component runs in it. Where it throws, the
  // interface has what it had before. Throws GrowthRefused.
  void attach(const Interface& interface, std::uint32_t arena_id);

 private:
  void require_joinable(const Interface& interface, const Chain& chain) const;
  void verify(const Interface& interface, std::uint32_t arena_id);

  Object object_;
  ChainOptions options_;
  xdp_program* program_ = nullptr;
};

// Takes the component out of the interface's chain, and the dispatcher with the last one.
void detach(const Interface& interface, const Component& component);

// As its file's name has it, "1.3.1"; empty where that tells nothing.
std::string libxdp_version();

// The object that it makes dispatchers from; empty where that isn't beside it.
std::string dispatcher_file();

// Does a component that uses the map run anywhere, in other network namespaces too? Those just
// detached don't count: libxdp before 1.4.1 leaks their descriptors into this process.
bool runs_anywhere(std::uint32_t arena_id, const std::set<std::uint32_t>& detached);

// What this kernel lacks for a chain, or nothing. Looks at the kernel, changes nothing.
std::optional<std::string> why_no_chain();

}  // namespace xdplb
