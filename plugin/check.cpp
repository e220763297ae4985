// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/check.h"

#include "plugin/check_backend.h"
#include "plugin/check_host.h"
#include "plugin/check_interface.h"
#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/privileges.h"

namespace xdplb {

namespace {

std::vector<Interface> subjects(const std::vector<std::string>& ifnames,
                                const std::string& pin_path) {
  std::vector<Interface> chosen;
  chosen.reserve(ifnames.size());
  for (const auto& name : ifnames) chosen.push_back(find_interface(name));
  if (!ifnames.empty() || !missing_capabilities().empty()) return chosen;
  for (const auto& place : with_component(places({}, pin_path))) chosen.push_back(place.interface);
  return chosen;
}

}  // namespace

Findings check(const std::vector<std::string>& ifnames, const std::string& pin_path) {
  const auto interfaces = subjects(ifnames, pin_path);
  Findings findings;
  check_host(findings, pin_path);
  for (const auto& interface : interfaces) check_interface(findings, interface, pin_path);
  if (!missing_capabilities().empty()) return findings;  // which is told
  try {
    if (!has_maps(pin_path)) return findings;
    const PinLock lock(pin_path, Access::read);
    check_services(findings, Pins(pin_path, Access::read));
  } catch (const Failure& failure) {
    findings.push_back({Level::fail, "maps", failure.what(), failure.hint()});
  }
  return findings;
}

}  // namespace xdplb
