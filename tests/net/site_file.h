// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// Configuration files for a Machine, put together of parts.

#include <fstream>
#include <string>

namespace xdplb::test {

inline const std::string interface = "[[interface]]\nname = \"eth0\"\n";
inline const std::string other = "[[interface]]\nname = \"eth1\"\n";
inline const std::string http = "[[service]]\naddress = \"192.0.2.10:80/tcp\"\n";
inline const std::string two = "backend = [\"10.0.0.2\", \"10.0.0.3\"]\n";
inline const std::string three = "backend = [\"10.0.0.2\", \"10.0.0.3\", \"10.0.0.4\"]\n";

// Its name.
inline std::string file_with(const std::string& text) {
  static int number = 0;
  const auto name = "/run/site-" + std::to_string(number++) + ".toml";
  std::ofstream(name) << text;
  return name;
}

}  // namespace xdplb::test
