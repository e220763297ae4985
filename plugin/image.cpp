// SPDX-License-Identifier: GPL-2.0-only
// Maps in this process's memory: Pins::image(), Pins::empty().
#include <fcntl.h>

#include <algorithm>

#include "plugin/error.h"
#include "plugin/pins.h"

namespace xdplb {

namespace {

Fd again(const Fd& fd) {
  if (!fd) return {};
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) throw SystemError(errno, "opening a map once more");
  return copy;
}

}  // namespace

Pins Pins::image() const {
  Pins copy;
  copy.path_ = path_;
  copy.meta_ = meta_.copy();
  copy.services_ = services_.copy();
  copy.backends_ = backends_.copy();
  copy.arena_ = arena_.copy();
  copy.exceptions_ = exceptions_.copy();
  copy.service_cnt_ = again(service_cnt_);
  copy.next_hops_ = again(next_hops_);
  return copy;
}

Pins Pins::empty(std::size_t arena_size, std::size_t exception_sets) {
  Pins made;
  made.meta_ = Mapping::own(sizeof(lb_meta));
  made.services_ = Mapping::own(sizeof(lb_service) * LB_SERVICES);
  made.backends_ = Mapping::own(sizeof(lb_backend) * LB_BACKENDS);
  made.arena_ = Mapping::own(arena_size);
  made.exceptions_ = Mapping::own(sizeof(lb_exception_set) * exception_sets);
  made.meta().abi = XDP_LB_ABI;
  return made;
}

}  // namespace xdplb
