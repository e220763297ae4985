// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/pending.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "plugin/component.h"
#include "plugin/error.h"
#include "plugin/fd.h"

namespace xdplb {

namespace {

constexpr auto folder = "/run/xdp-lb";

// What to go back to: it is there until the change is confirmed or taken back.
std::string pending_file(const std::string& pin_path) {
  auto name = pin_path;
  std::ranges::replace(name, '/', '_');
  return std::string(folder) + "/pending" + name + ".toml";
}

// Returns what holds its lock: without, nobody is left who would go back.
Fd write_whole(const std::string& file, const std::string& text) {
  const auto fresh = file + ".new";
  Fd out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out || ::flock(out.get(), LOCK_EX) != 0) throw SystemError(errno, "making " + fresh);
  for (std::size_t at = 0; at < text.size();) {
    const auto written = ::write(out.get(), text.data() + at, text.size() - at);
    if (written < 0) throw SystemError(errno, "writing " + fresh);
    at += static_cast<std::size_t>(written);
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) throw SystemError(errno, "making " + file);
  return out;
}

// The pending change, by which the file can be told from a later one.
ino_t identity(const std::string& file) {
  struct stat found {};
  return ::stat(file.c_str(), &found) == 0 ? found.st_ino : 0;
}

void go_back(const std::string& file, const ApplyOptions& options) {
  try {
    std::ifstream in(file, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    apply_config(parse_config(text, file), options);
    ::syslog(LOG_WARNING, "the change was not confirmed, and is taken back");
    std::filesystem::remove(file);
  } catch (const std::exception& failure) {
    ::syslog(LOG_ERR, "the change was not confirmed, and can't be taken back: %s", failure.what());
  }
}

}  // namespace

void require_none_pending(const std::string& pin_path) {
  const auto file = pending_file(pin_path);
  const Fd found(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!found) return;
  if (::flock(found.get(), LOCK_EX | LOCK_NB) != 0)
    throw Error("a change waits to be confirmed", "'xdp-lb confirm' keeps it");
  ::unlink(file.c_str());  // whoever made it was killed
}

Pending::Pending(const std::string& pin_path) : file_(pending_file(pin_path)) {
  // The socket of stats is in it too, which isn't root's alone.
  if (::mkdir(folder, 0755) != 0 && errno != EEXIST)
    throw SystemError(errno, std::string("making ") + folder);
  const PinLock lock(pin_path, Access::read);
  Config config;
  config.interfaces.emplace();
  if (has_maps(pin_path)) config = running_config(Pins(pin_path, Access::read), Detail::full);
  lock_ = write_whole(file_, to_text(config));
}

void Pending::forget() const { ::unlink(file_.c_str()); }

bool Pending::go_back_after(unsigned seconds, const ApplyOptions& options) const {
  const auto change = identity(file_);
  const auto child = ::fork();
  if (child < 0) throw SystemError(errno, "leaving a process behind", "'xdp-lb confirm' keeps it");
  if (child != 0) return false;
  ::setsid();
  if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0)
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  ::openlog("xdp-lb", LOG_PID, LOG_DAEMON);
  for (auto left = seconds; left > 0;) left = ::sleep(left);
  if (identity(file_) == change) go_back(file_, options);
  return true;
}

void confirm_change(const std::string& pin_path) {
  const auto file = pending_file(pin_path);
  if (::unlink(file.c_str()) == 0) return;
  if (errno != ENOENT) throw SystemError(errno, "removing " + file);
  throw NotLoaded("no change waits to be confirmed",
                  "it was taken back, or confirmed before: 'xdp-lb plan FILE' tells");
}

}  // namespace xdplb
