// SPDX-License-Identifier: GPL-2.0-only
// What a backend needs to be one: addresses, devices and settings, as commands and as files that
// keep them over a reboot.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/address.h"
#include "plugin/mode.h"

namespace xdplb {

struct SetupFacts {
  ServiceId service;
  BackendId backend;
  Forward forward = Forward::l2;
  std::uint16_t gue_port = 0;
  bool local = false;                 // the backend is the balancer itself
  std::optional<Address> balancer{};  // the address that the balancer has towards it
  bool gateway = false;               // in between
  unsigned mtu = 0;                   // of the way to it; 0: unknown
};

struct Setup {
  struct File {
    std::string path;
    std::vector<std::string> lines;
    bool operator==(const File&) const = default;
  };
  std::string summary;
  std::vector<std::string> commands;
  std::vector<File> files;          // of systemd
  std::vector<std::string> advice;  // a line each
  std::optional<unsigned> mss;      // of TCP, that fits with the outer header; nothing: any does
  bool operator==(const Setup&) const = default;
};

Setup backend_setup(const SetupFacts& facts);

}  // namespace xdplb
