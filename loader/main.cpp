// SPDX-License-Identifier: GPL-2.0-only
#include <exception>
#include <iostream>

#include "loader/cli.h"
#include "loader/held.h"
#include "plugin/error.h"

int main(int argc, char** argv) {
  const xdplb::Held errors(std::cerr);
  const xdplb::Held printed(std::cout);  // goes first
  try {
    const int code = xdplb::run_cli(xdplb::Arguments(argv + 1, argv + argc));
    if (std::cout.flush()) return code;
    std::cerr << "xdp-lb: what was printed could not be written\n";
    return 1;
  } catch (const xdplb::Failure& failure) {
    std::cerr << "xdp-lb: " << failure.what() << "\n";
    if (!failure.hint().empty()) std::cerr << "  " << failure.hint() << "\n";
    return failure.exit_code();
  } catch (const std::exception& error) {
    std::cerr << "xdp-lb: " << error.what() << "\n";
    return 1;
  }
}
