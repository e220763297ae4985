// SPDX-License-Identifier: GPL-2.0-only
#include "loader/held.h"

#include <ios>

namespace xdplb {

Held::Held(std::ostream& stream) : stream_(stream), out_(stream.rdbuf(this)) {
  stream.unsetf(std::ios::unitbuf);
  stream.tie(nullptr);
}

Held::~Held() {
  stream_.flush();
  stream_.rdbuf(out_);
}

int Held::sync() {
  const auto text = str();
  str({});
  const auto size = static_cast<std::streamsize>(text.size());
  return out_->sputn(text.data(), size) == size && out_->pubsync() == 0 ? 0 : -1;
}

}  // namespace xdplb
