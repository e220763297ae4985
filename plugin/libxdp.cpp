// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/libxdp.h"

#include <dlfcn.h>

#include <cerrno>
#include <filesystem>

namespace xdplb {

namespace {

std::filesystem::path library() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&xdp_program__attach), &info) == 0) return {};
  std::error_code error;
  return std::filesystem::canonical(info.dli_fname, error);
}

}  // namespace

std::string libxdp_version() {
  const auto file = library().filename().string();
  constexpr std::string_view prefix = "libxdp.so.";
  return file.starts_with(prefix) ? file.substr(prefix.size()) : std::string{};
}

std::string dispatcher_file() {
  const auto file = library().parent_path() / "bpf" / "xdp-dispatcher.o";
  std::error_code error;
  return std::filesystem::is_regular_file(file, error) ? file.string() : std::string{};
}

Mode from_libxdp(xdp_attach_mode mode) {
  switch (mode) {
    case XDP_MODE_NATIVE:
      return Mode::native;
    case XDP_MODE_SKB:
      return Mode::skb;
    case XDP_MODE_HW:
      return Mode::hardware;
    default:
      return Mode::unknown;
  }
}

xdp_attach_mode to_libxdp(Mode mode) { return mode == Mode::skb ? XDP_MODE_SKB : XDP_MODE_NATIVE; }

SystemError attach_failure(int error, const Interface& interface, const Diagnostics& said) {
  const auto said_has = [&](const char* text) {
    return said.text().find(text) != std::string::npos;
  };
  std::string hint = said.hint(error);
  if (error == ERANGE)
    hint = "with an MTU of " + std::to_string(interface.mtu) +
           " the driver takes only chains whose every program supports multi-buffer frames; lower "
           "the MTU, or unload the program that doesn't";
  else if (said_has("transparent upgrade"))
    hint = "the chain was made by an older libxdp: unload all of its programs, then load again";
  else if (error == EBUSY)
    hint = "others kept changing the chain meanwhile; try again";
  return {error, "attaching to " + interface.name, hint};
}

}  // namespace xdplb
