// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/error.h"

#include <cerrno>
#include <cstring>

namespace xdplb {

namespace {

std::string default_hint(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return "run as root: BPF programs in a chain need CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_BPF";
    case ENOMEM:
      return "free memory, or allow the process more";
    case ENOSPC:
      return "make room on the file system";
    case EROFS:
      return "'mount -o remount,rw' makes the file system writable";
    case ENODEV:
      return "the interface vanished meanwhile: 'ip link' shows those that are there";
    default:
      return {};
  }
}

}  // namespace

SystemError::SystemError(int error, const std::string& doing, const std::string& hint)
    : Failure(doing + ": " + std::strerror(error), hint.empty() ? default_hint(error) : hint),
      error_(error) {}

}  // namespace xdplb
