// SPDX-License-Identifier: GPL-2.0-only
// The object's programs, and the one of them that an interface gets.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "plugin/chain.h"
#include "plugin/object.h"
#include "plugin/pins.h"

namespace xdplb {

class Programs {
 public:
  Programs(std::string file, const Pins& pins) : file_(std::move(file)), pins_(pins) {}

  // Joins the interface's chain: with the program that grows packets where the chain takes it, else
  // with the one that redirects. One loaded copy is for all interfaces that are attached alike.
  void attach(const Interface& interface, const ChainOptions& options);

  // Takes the place of a program that is attached without a chain: no packet is without either.
  void replace(const Interface& interface, Mode mode, const Component& old);

  // As the kernel tells; empty where the object has no such program.
  std::string tag(const std::string& name);

 private:
  Attachment& attachment(const char* program, const ChainOptions& options);
  bpf_program* alone(const std::string& name);

  std::string file_;
  const Pins& pins_;
  std::map<std::pair<std::string, ChainOptions>, std::unique_ptr<Attachment>> attachments_;
  std::map<std::string, Object> alone_;  // by their one program that is loaded, for no chain
};

}  // namespace xdplb
