// SPDX-License-Identifier: GPL-2.0-only
// The clients of a farm, in one process.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>

#include "plugin/error.h"
#include "tests/net/farm.h"

namespace xdplb::test {

namespace {

using Number = std::uint64_t;

constexpr Number the_line = 0;
constexpr std::int64_t ms = 1'000'000;
constexpr auto tick = 5 * ms;
constexpr auto pause = 150 * ms;               // between the questions on a connection
constexpr auto client_patience = 15'000 * ms;  // with one that says nothing
constexpr int most_fresh = 32;                 // at a time
constexpr int most_awaited = 128;              // a veth's ring holds 256 packets

struct Connection {
  Contact contact;
  Fd socket{};
  bool fresh = false;
  std::string unread{};
  std::uint64_t asked = 0;  // questions
  bool waits = false;       // for the answer to the last
  std::int64_t last = 0;    // when anything was said
  unsigned round = 0;       // of the last question
  unsigned answered = 0;    // the round of the last answer
};

// Another source for each connection.
Endpoint source(Number number, bool v4) {
  const auto net = std::to_string(number / 50000);
  const auto host = std::to_string(number % 250 + 1);
  return endpoint(v4 ? "10.8." + net + "." + host : "fd00:8::" + net + ":" + host,
                  static_cast<std::uint16_t>(10000 + number % 50000));
}

// Of a response that is there as a whole.
std::optional<std::string> body_of(const std::string& response) {
  const auto end = response.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  const auto length = header_of(response.substr(0, end + 2), "Content-Length");
  const auto body = response.substr(end + 4);
  if (length.empty() || body.size() < std::stoul(length)) return std::nullopt;
  return body;
}

std::string answer_to(const Connection& connection) {
  const auto& [address, port] = connection.contact.from;
  return connection.contact.owner() + " " + address.to_string() + " " + std::to_string(port) + " " +
         std::to_string(connection.asked);
}

bool was_repeated(const Fd& socket) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  return ::getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_total_retrans > 0;
}

class Clients {
 public:
  Clients(const Fd& line, const Endpoint& to)
      : line_(line), to_(to), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    watch(line_, the_line, EPOLLIN);
  }

  void run() {
    while (!gone_) {
      hear();
      const auto now = monotonic_ns();
      if (now < next_tick_) continue;
      next_tick_ = now + tick;
      awaited_ = count_awaited();
      for (; to_open_ > 0 && awaited_ < most_awaited; --to_open_) begin(false);
      tend(now);
      sort_out();
      if (fresh_ < most_fresh) begin(true);
      if (order_ && is_done()) answer();
    }
  }

 private:
  void watch(const Fd& socket, Number number, std::uint32_t events) const {
    epoll_event event{.events = events, .data = {.u64 = number}};
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0)
      throw SystemError(errno, "watching a socket");
  }

  void begin(bool fresh) {
    const auto number = ++last_number_;
    Connection connection{.contact = {.from = source(number, to_.address.is_v4())}, .fresh = fresh};
    connection.socket = bound_socket(connection.contact.from, SOCK_STREAM | SOCK_NONBLOCK);
    const int yes = 1;
    ::setsockopt(connection.socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    // What is sent again stays on its path, as behind a router on the wire: in one machine the
    // router takes the socket's hash for the flow's, and that changes with a timeout.
    const int no = 0;
    ::setsockopt(connection.socket.get(), SOL_SOCKET, SO_TXREHASH, &no, sizeof(no));
    // Closing resets, and leaves nothing behind.
    const linger at_once{1, 0};
    ::setsockopt(connection.socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    connection.last = connection.contact.begun = monotonic_ns();
    try {
      connect_socket(connection.socket, to_);
    } catch (const SystemError& failure) {
      if (failure.error() != ETIMEDOUT) throw;  // it is on its way
    }
    watch(connection.socket, number, EPOLLIN | EPOLLOUT | EPOLLET);
    all_.emplace(number, std::move(connection));
    if (fresh) return void(++fresh_);
    ++opening_;
    ++awaited_;
  }

  // The connection is open, broken, or (if it is fresh) done.
  void settle(Connection& connection, Fate fate) {
    auto& before = connection.contact.fate;
    if (before > Fate::open) return;
    if (before == Fate::opening && !connection.fresh) --opening_;
    before = fate;
    if (connection.fresh || fate != Fate::open) connection.socket = Fd();
  }

  void hear() {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(poll_.get(), events.data(), events.size(), tick / ms);
    for (int i = 0; i < count; ++i) {
      const Number number = events[static_cast<std::size_t>(i)].data.u64;
      const auto found = all_.find(number);
      if (number == the_line)
        take_order();
      else if (found != all_.end())
        hear(found->second);
    }
  }

  void hear(Connection& connection) {
    std::array<char, 1024> said{};
    if (connection.asked == 0) {  // it is there now, or refused
      connection.contact.repeated = was_repeated(connection.socket);
      return ask(connection);
    }
    const auto count = ::recv(connection.socket.get(), said.data(), said.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return settle(connection, count == 0 ? Fate::ended : Fate::reset);
    connection.last = monotonic_ns();
    connection.unread.append(said.data(), static_cast<std::size_t>(count));
    const auto body = body_of(connection.unread);
    if (!body && connection.waits) return;
    auto& contact = connection.contact;
    if (contact.backend == 0 && body) contact.backend = body->at(3) - '0';
    if (!connection.waits || body != answer_to(connection)) return settle(connection, Fate::mixed);
    connection.unread.clear();
    connection.waits = false;
    connection.answered = connection.round;
    settle(connection, Fate::open);
  }

  [[nodiscard]] int count_awaited() const {
    return opening_ + static_cast<int>(std::ranges::count_if(all_, [](const auto& one) {
             return one.second.waits && one.second.contact.fate == Fate::open;
           }));
  }

  // In turn, since there may be more to ask than can be awaited.
  void tend(std::int64_t now) {
    auto next = all_.upper_bound(last_asked_);
    for (auto left = all_.size(); left > 0; --left, ++next) {
      if (next == all_.end()) next = all_.begin();
      tend(next->first, next->second, now);
    }
  }

  void tend(Number number, Connection& connection, std::int64_t now) {
    const auto fate = connection.contact.fate;
    if (fate > Fate::open || (fate == Fate::open && connection.fresh)) return;
    const bool silent = now - connection.last > client_patience;
    if (fate == Fate::opening || connection.waits) {
      if (silent) settle(connection, Fate::silent);
      return;
    }
    if (now - connection.last < pause && connection.round == round_) return;
    if (awaited_ >= most_awaited) return;
    ++awaited_;
    last_asked_ = number;
    ask(connection);
  }

  void ask(Connection& connection) {
    const auto question =
        "GET /ask?" + std::to_string(++connection.asked) + " HTTP/1.1\r\nHost: farm\r\n\r\n";
    connection.waits = true;
    connection.last = monotonic_ns();
    connection.round = round_;
    if (!write_all(connection.socket, question.data(), question.size()))
      settle(connection, Fate::reset);
  }

  // Fresh connections that are done make room for others.
  void sort_out() {
    std::erase_if(all_, [&](const auto& one) {
      const auto& contact = one.second.contact;
      if (!one.second.fresh || contact.fate == Fate::opening) return false;
      done_.push_back(contact);
      --fresh_;
      if (contact.begun >= ordered_) ++done_since_;
      return true;
    });
  }

  void take_order() {
    Order order{};
    gone_ = !read_all(line_, &order, sizeof(order));
    if (gone_) return;
    order_ = order;
    ordered_ = monotonic_ns();
    done_since_ = 0;
    if (order.kind == Order::Kind::exchange) ++round_;
    if (order.kind == Order::Kind::open) forget(is_broken, all_.size());
    if (order.kind == Order::Kind::renew) forget(is_open, static_cast<std::size_t>(order.count));
    to_open_ = order.kind == Order::Kind::exchange ? 0 : order.count;
    if (order.kind == Order::Kind::open) to_open_ -= static_cast<int>(all_.size()) - fresh_;
  }

  static bool is_broken(const Contact& contact) { return contact.is_broken(); }
  static bool is_open(const Contact& contact) { return contact.fate == Fate::open; }

  // The oldest of the live ones of which it is true.
  void forget(bool (*which)(const Contact&), std::size_t most) {
    std::erase_if(all_, [&](const auto& one) {
      const bool chosen = most > 0 && !one.second.fresh && which(one.second.contact);
      most -= chosen ? 1U : 0U;
      return chosen;
    });
  }

  [[nodiscard]] bool is_done() const {
    if (order_->kind != Order::Kind::exchange) return to_open_ <= 0 && opening_ == 0;
    const bool asked = std::ranges::all_of(all_, [&](const auto& one) {
      const auto& connection = one.second;
      return connection.fresh || connection.contact.fate != Fate::open ||
             connection.answered == round_;
    });
    return asked && done_since_ >= order_->count;
  }

  void answer() {
    std::vector<Contact> live;
    for (const auto& [number, connection] : all_)
      if (!connection.fresh) live.push_back(connection.contact);
    for (const auto* contacts : {&live, &done_}) {
      const auto size = static_cast<std::uint32_t>(contacts->size());
      gone_ |= !write_all(line_, &size, sizeof(size)) ||
               !write_all(line_, contacts->data(), size * sizeof(Contact));
    }
    done_.clear();
    order_.reset();
  }

  const Fd& line_;
  Endpoint to_;
  Fd poll_;
  std::map<Number, Connection> all_;
  std::vector<Contact> done_;
  Number last_number_ = the_line, last_asked_ = the_line;
  int to_open_ = 0;
  int opening_ = 0;  // live ones that nobody has answered yet
  int awaited_ = 0;  // answers, of the live ones
  int fresh_ = 0;    // in all_
  unsigned round_ = 0;
  std::int64_t next_tick_ = 0;
  std::optional<Order> order_;
  std::int64_t ordered_ = 0;
  int done_since_ = 0;  // fresh ones begun after the order
  bool gone_ = false;
};

}  // namespace

int run_farm(const Fd& line, const Endpoint& to) {
  raise_file_limit();
  Clients(line, to).run();
  return 0;
}

}  // namespace xdplb::test
