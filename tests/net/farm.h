// SPDX-License-Identifier: GPL-2.0-only
#pragma once

// HTTP connections by the thousand from a site's client to a service, and each of them talks all
// the time: the backend is asked a question after the other, and answers with its name, whom it
// sees and what it was asked. Beside them, without a pause, fresh connections come, ask once and
// go. What happens to each of them is reported.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/net/fixture.h"

namespace xdplb::test {

enum class Fate : int {
  opening,
  open,    // answered; a fresh one is done then
  reset,   // broken, as are the next: by RST or another error
  ended,   // by FIN
  silent,  // no answer for many seconds
  mixed    // an answer to something else
};

struct Contact {
  Endpoint from;
  std::int64_t begun = 0;  // monotonic_ns() before its first SYN
  int backend = 0;         // that answered first: 1 is web1
  Fate fate = Fate::opening;
  bool repeated = false;  // more than one SYN went out

  [[nodiscard]] bool is_broken() const { return fate > Fate::open; }
  [[nodiscard]] std::string owner() const;  // web1; "" for nobody
};

struct Report {
  std::int64_t since = 0;  // when it was asked for
  std::vector<Contact> live, fresh;

  // Of the live ones.
  [[nodiscard]] int open(const std::string& owner = "") const;
  [[nodiscard]] int broken(const std::string& owner = "") const;
  // Fresh ones whose first SYN came after the report was asked for.
  [[nodiscard]] int answered(const std::string& owner = "") const;
  // Any of the fresh, or of those begun since a time, whose SYN went out once. One that is repeated
  // may find another table than the first: two servers answer then, and the client takes the first
  // answer. Nobody promises such a connection; text() tells them.
  [[nodiscard]] int failed(std::int64_t begun_since = 0) const;
  [[nodiscard]] std::string text() const;  // what broke, and how
};

std::int64_t monotonic_ns();

// The orders to the farm. Each is answered when it is done.
struct Order {
  enum class Kind : int {
    open,     // forget the broken; open more until so many are open
    renew,    // close so many of the oldest, and open as many
    exchange  // all that are open are asked once more, and so many fresh ones come and go
  } kind;
  int count;
};

class Farm {
 public:
  // The process of the clients; the site's web servers are there.
  Farm(Site& site, const TestService& service);

  Report open(int count) { return order({Order::Kind::open, count}); }
  Report renew(int count) { return order({Order::Kind::renew, count}); }
  Report exchange(int fresh = 20) { return order({Order::Kind::exchange, fresh}); }

 private:
  Report order(Order order);

  Fd line_;
};

// What a farm's process does.
int run_farm(const Fd& line, const Endpoint& to);

// Through the line between a farm and its clients. False if there is nobody any more.
bool write_all(const Fd& line, const void* bytes, std::size_t size);
bool read_all(const Fd& line, void* bytes, std::size_t size);
void raise_file_limit();

}  // namespace xdplb::test
