// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/pending.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <utility>

#include "plugin/component.h"
#include "plugin/error.h"

namespace xdplb {

namespace {

constexpr auto folder = "/run/xdp-lb";

// What the two processes say to each other.
constexpr char guarded = 'g';
constexpr char applied = 'a';
constexpr char forgotten = 'f';
constexpr char gone_back = 'b';

std::string file_of(const std::string& pin_path, const std::string& what,
                    const std::string& suffix) {
  std::string name;
  for (const char c : pin_path)
    name += c == '/' ? "_" : c == '_' ? "%5f" : c == '%' ? "%25" : std::string(1, c);
  return std::string(folder) + "/" + what + name + suffix;
}

// What to go back to: it is there until the change is confirmed or taken back.
std::string pending_file(const std::string& pin_path) {
  return file_of(pin_path, "pending", ".toml");
}

// Its name until the change is made, and again when it is taken back: no longer to be confirmed.
std::string unmade(const std::string& file) { return file + ".new"; }

// Returns what holds its lock.
Fd write_whole(const std::string& file, const std::string& text) {
  Fd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out || ::flock(out.get(), LOCK_EX) != 0) throw SystemError(errno, "making " + file);
  for (std::size_t at = 0; at < text.size();) {
    const auto written = ::write(out.get(), text.data() + at, text.size() - at);
    if (written < 0) throw SystemError(errno, "writing " + file);
    at += static_cast<std::size_t>(written);
  }
  return out;
}

bool is_file(const std::string& name, const Fd& opened) {
  struct stat there {};
  struct stat ours {};
  return ::stat(name.c_str(), &there) == 0 && ::fstat(opened.get(), &ours) == 0 &&
         there.st_ino == ours.st_ino;
}

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw SystemError(errno, "making " + to);
}

// What the change says nothing of is for others to set meanwhile, and stays then: a backend that
// was found dead doesn't come back.
void leave_states(Config& before, const Config& change) {
  std::set<std::pair<ServiceId, BackendId>> left;
  for (const auto& service : change.services)
    for (const auto& backend : service.backends)
      if (!backend.state) left.emplace(service.id, backend.id);
  for (auto& service : before.services)
    for (auto& backend : service.backends)
      if (left.contains({service.id, backend.id})) backend.state.reset();
}

bool unloads_any(const Config& before, const Config& change) {
  if (!change.interfaces) return false;
  return std::ranges::any_of(*before.interfaces, [&](const auto& one) {
    return std::ranges::find(*change.interfaces, one.name, &InterfaceConfig::name) ==
           change.interfaces->end();
  });
}

bool is_any_alone(const std::string& pin_path) {
  return std::ranges::any_of(with_component(places({}, pin_path)), [](const auto& place) {
    return place.chain.kind == Chain::Kind::single;
  });
}

// What can't be gone back to doesn't keep the rest from it.
void leave_out_interfaces(Config& config) {
  const auto there = interfaces();
  const auto is_gone = [&](const std::string& name) {
    return std::ranges::find(there, name, &Interface::name) == there.end();
  };
  std::erase_if(*config.interfaces, [&](const auto& one) { return is_gone(one.name); });
  for (auto& service : config.services)
    for (auto& backend : service.backends)
      if (backend.next_hop && is_gone(backend.next_hop->ifname)) backend.next_hop.reset();
}

void leave_terminal() {
  ::setsid();
  if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0)
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  ::openlog("xdp-lb", LOG_PID, LOG_DAEMON);
}

}  // namespace

Turn::Turn(const std::string& pin_path) {
  // The socket of stats is in it too, which isn't root's alone.
  if (::mkdir(folder, 0755) != 0 && errno != EEXIST)
    throw SystemError(errno, std::string("making ") + folder);
  const auto file = file_of(pin_path, "apply", ".lock");
  lock_ = Fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_ || ::flock(lock_.get(), LOCK_EX) != 0) throw SystemError(errno, "locking " + file);
}

void require_none_pending(const std::string& pin_path) {
  const auto made = pending_file(pin_path);
  for (const auto& file : {made, unmade(made)}) {
    const Fd found(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!found) continue;
    if (::flock(found.get(), LOCK_EX | LOCK_NB) == 0)
      ::unlink(file.c_str());  // whoever would go back was killed
    else if (file == made)
      throw Error("a change waits to be confirmed", "'xdp-lb confirm' keeps it");
    else
      throw Error("a change is being taken back", "try again when that is done");
  }
}

Pending::Pending(Turn& turn, const Config& change, const ApplyOptions& options)
    : options_(options), file_(pending_file(options.pin_path)), turn_(turn) {
  before_.interfaces.emplace();
  before_.peers.emplace();
  const auto& pin_path = options_.pin_path;
  const PinLock lock(pin_path, Access::read);
  if (has_whole_maps(pin_path))
    before_ = running_config(Pins(pin_path, Access::read), Detail::full);
  options_.max_move.reset();
  // What was attached alone is again, whatever the change may do.
  options_.single_ok |= is_any_alone(pin_path);
  if (unloads_any(before_, change)) keep_object();
  leave_states(before_, change);
  mark_ = write_whole(unmade(file_), to_text(before_));
}

// Its file may be another one, or gone, when it is needed.
void Pending::keep_object() {
  const auto file = find_object(options_.object);
  object_ = Fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!object_) throw SystemError(errno, "opening " + file);
  options_.object = "/proc/self/fd/" + std::to_string(object_.get());
}

bool Pending::guard(unsigned seconds) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw SystemError(errno, "leaving a process behind");
  Fd ours(ends[0]);
  Fd others(ends[1]);
  const auto child = ::fork();
  if (child < 0) throw SystemError(errno, "leaving a process behind");
  if (child == 0) {
    ours = Fd();
    other_ = std::move(others);
    watch(seconds);
    return true;
  }
  others = Fd();
  other_ = std::move(ours);
  if (hear() != guarded) throw SystemError(ECHILD, "leaving a process behind");
  return false;
}

void Pending::watch(unsigned seconds) {
  leave_terminal();
  turn_.pass();
  say(guarded);
  const auto word = hear();
  if (word == forgotten) return;
  for (auto left = word == applied ? seconds : 0; left > 0;) left = ::sleep(left);
  try {
    const Turn turn(options_.pin_path);
    if (claim()) take_back();
  } catch (const std::exception& failure) {
    ::syslog(LOG_ERR, "the change was not confirmed, and can't be taken back: %s", failure.what());
  }
}

// From now on it can't be confirmed; false where it was. The caller has the turn.
bool Pending::claim() const {
  const auto claimed = unmade(file_);
  if (is_file(file_, mark_)) rename_file(file_, claimed);
  return is_file(claimed, mark_);
}

void Pending::take_back() {
  leave_out_interfaces(before_);
  apply_config(before_, options_);
  ::syslog(LOG_WARNING, "the change was not confirmed, and is taken back");
  ::unlink(unmade(file_).c_str());
  say(gone_back);
}

// Nothing where the other process is gone.
char Pending::hear() const {
  char word = 0;
  return ::recv(other_.get(), &word, 1, 0) == 1 ? word : '\0';
}

void Pending::say(char word) const { ::send(other_.get(), &word, 1, MSG_NOSIGNAL); }

void Pending::done() {
  rename_file(unmade(file_), file_);
  say(applied);
}

void Pending::forget() {
  ::unlink(unmade(file_).c_str());
  say(forgotten);
}

bool Pending::go_back() {
  turn_.pass();
  ::shutdown(other_.get(), SHUT_WR);
  return hear() == gone_back;
}

void confirm_change(const std::string& pin_path) {
  const Turn turn(pin_path);
  const auto file = pending_file(pin_path);
  if (::unlink(file.c_str()) == 0) return;
  if (errno != ENOENT) throw SystemError(errno, "removing " + file);
  if (::access(unmade(file).c_str(), F_OK) == 0)
    throw NotLoaded("the change was not confirmed, and could not be taken back",
                    "'journalctl -t xdp-lb' has why; apply the file that is to hold");
  throw NotLoaded(
      "no change waits to be confirmed",
      "it was taken back, or confirmed before, or did nothing: 'xdp-lb plan FILE' tells");
}

}  // namespace xdplb
