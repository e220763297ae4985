// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/privileges.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "plugin/error.h"

namespace xdplb {

std::string missing_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0)
    throw SystemError(errno, "reading the process's capabilities");
  std::string missing;
  if ((data[0].effective & 1U << CAP_SYS_ADMIN) == 0) missing = "CAP_SYS_ADMIN";
  if ((data[0].effective & 1U << CAP_NET_ADMIN) == 0)
    missing += (missing.empty() ? "" : ", ") + std::string("CAP_NET_ADMIN");
  return missing;
}

bool is_root() { return ::geteuid() == 0; }

void require_privileges() {
  const auto missing = missing_capabilities();
  if (!missing.empty())
    throw SystemError(EPERM, "joining a chain without " + missing, "run as root");
}

}  // namespace xdplb
