// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/farm.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <map>

#include "plugin/error.h"

namespace xdplb::test {

namespace {

constexpr timeval server_patience{60, 0};

template <typename Condition>
int count(const std::vector<Contact>& contacts, Condition condition) {
  return static_cast<int>(std::ranges::count_if(contacts, condition));
}

auto of(const std::string& owner) {
  return [owner](const Contact& contact) { return owner.empty() || contact.owner() == owner; };
}

std::vector<Contact> read_contacts(const Fd& line) {
  std::uint32_t size = 0;
  std::vector<Contact> contacts;
  bool good = read_all(line, &size, sizeof(size));
  if (good) contacts.resize(size);
  good = good && read_all(line, contacts.data(), size * sizeof(Contact));
  if (!good) throw std::runtime_error("the farm doesn't answer");
  return contacts;
}

// Clients have all of 10.8.0.0/16 and fd00:8::/64.
void give_addresses(const Site& site) {
  site.router.ip("route add 10.8.0.0/16 via 10.1.0.2\nroute add fd00:8::/64 via fd00:1::2");
  site.client.ip("route add local 10.8.0.0/16 dev lo\nroute add local fd00:8::/64 dev lo");
  site.client.sysctl("ipv6/ip_nonlocal_bind", "1");
}

std::string name_of(Fate fate) {
  static const std::array<std::string, 6> names{"opening", "open",   "reset",
                                                "ended",   "silent", "mixed up"};
  return names.at(static_cast<std::size_t>(fate));
}

}  // namespace

std::string Contact::owner() const { return backend == 0 ? "" : "web" + std::to_string(backend); }

int Report::open(const std::string& owner) const {
  return count(live, [is_of = of(owner)](const auto& contact) {
    return contact.fate == Fate::open && is_of(contact);
  });
}

int Report::broken(const std::string& owner) const {
  return count(live, [is_of = of(owner)](const auto& contact) {
    return contact.is_broken() && is_of(contact);
  });
}

int Report::answered(const std::string& owner) const {
  return count(fresh, [&, is_of = of(owner)](const auto& contact) {
    return contact.fate == Fate::open && contact.begun >= since && is_of(contact);
  });
}

int Report::failed(std::int64_t begun_since) const {
  return count(fresh, [=](const auto& contact) {
    return contact.is_broken() && !contact.repeated && contact.begun >= begun_since;
  });
}

std::string Report::text() const {
  std::map<std::string, int> kinds;
  for (const auto* contacts : {&live, &fresh})
    for (const auto& contact : *contacts)
      if (contact.is_broken())
        kinds[(contacts == &live ? "" : "fresh, ") +
              std::string(contact.repeated ? "repeated SYN, " : "") + contact.owner() + " " +
              name_of(contact.fate)]++;
  std::string text;
  for (const auto& [kind, number] : kinds) text += "\n  " + kind + ": " + std::to_string(number);
  return text;
}

std::int64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

bool write_all(const Fd& line, const void* bytes, std::size_t size) {
  for (const auto* next = static_cast<const char*>(bytes); size > 0;) {
    const auto count = ::send(line.get(), next, size, MSG_NOSIGNAL);
    if (count <= 0) return false;
    next += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

bool read_all(const Fd& line, void* bytes, std::size_t size) {
  for (auto* next = static_cast<char*>(bytes); size > 0;) {
    const auto count = ::recv(line.get(), next, size, 0);
    if (count <= 0) return false;
    next += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

void raise_file_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max = std::max<rlim_t>(limit.rlim_max, 16384);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw SystemError(errno, "raising a limit of files");
}

Farm::Farm(Site& site, const TestService& service) {
  give_addresses(site);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw SystemError(errno, "making a line to the farm");
  line_ = Fd(ends[0]);
  ::setsockopt(line_.get(), SOL_SOCKET, SO_RCVTIMEO, &server_patience, sizeof(server_patience));
  const Fd theirs(ends[1]);
  site.client.start([&] { return run_farm(theirs, service.endpoint()); });
}

Report Farm::order(Order order) {
  Report report{.since = monotonic_ns(), .live = {}, .fresh = {}};
  if (!write_all(line_, &order, sizeof(order))) throw std::runtime_error("the farm is gone");
  report.live = read_contacts(line_);
  report.fresh = read_contacts(line_);
  return report;
}

}  // namespace xdplb::test
