// SPDX-License-Identifier: GPL-2.0-only
#include <exception>
#include <ios>
#include <iostream>
#include <sstream>

#include "loader/cli.h"
#include "plugin/error.h"

namespace {

// What is printed waits for a flush, or the end: whoever reads it slowly, in a pager, must not hold
// up others who wait for a lock that the verb has.
class Held : public std::stringbuf {
 public:
  explicit Held(std::ostream& stream) : stream_(stream), out_(stream.rdbuf(this)) {
    stream.unsetf(std::ios::unitbuf);
    stream.tie(nullptr);
  }
  ~Held() override {
    stream_.flush();
    stream_.rdbuf(out_);
  }

 private:
  int sync() override {
    const auto text = str();
    str({});
    const auto size = static_cast<std::streamsize>(text.size());
    return out_->sputn(text.data(), size) == size && out_->pubsync() == 0 ? 0 : -1;
  }

  std::ostream& stream_;
  std::streambuf* out_;
};

}  // namespace

int main(int argc, char** argv) {
  const Held errors(std::cerr);
  const Held printed(std::cout);  // goes first
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
