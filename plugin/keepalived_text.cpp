// SPDX-License-Identifier: GPL-2.0-only
#include "plugin/keepalived_text.h"

#include "plugin/importer.h"

namespace xdplb {

namespace {

class Parser {
 public:
  explicit Parser(std::string name) : name_(std::move(name)) {}

  std::vector<Statement> parse(std::string_view text) {
    each_line(text, [&](unsigned line, std::string_view all) { read_line(line, all); });
    if (open_.size() > 1) fail(open_.back()->line, "this block has no end");
    return std::move(root_.inner);
  }

 private:
  [[noreturn]] void fail(unsigned line, const std::string& text) const {
    throw ConfigError(name_, {{{line, 1}, text, {}}});
  }

  void read_line(unsigned line, std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    bool quoted = false;
    for (const auto c : text) {
      if (c == '"')
        quoted = !quoted;
      else if (!quoted && (c == '#' || c == '!'))
        break;
      else if (!quoted && (c == '{' || c == '}'))
        c == '{' ? open(line) : close(line);
      else if (!quoted && blanks.find(c) != std::string_view::npos)
        end_word();
      else
        word_ += c;
    }
    end_statement(line);
  }

  void end_word() {
    if (!word_.empty()) words_.push_back(std::move(word_));
    word_.clear();
  }

  void end_statement(unsigned line) {
    end_word();
    if (!words_.empty()) open_.back()->inner.push_back({line, line, std::move(words_), false, {}});
    words_.clear();
  }

  void open(unsigned line) {
    end_statement(line);  // or on a line before
    auto& all = open_.back()->inner;
    if (all.empty() || all.back().block) fail(line, "a block without a name");
    all.back().block = true;
    open_.push_back(&all.back());
  }

  void close(unsigned line) {
    end_statement(line);
    if (open_.size() == 1) fail(line, "this ends no block");
    open_.back()->to = line;
    open_.pop_back();
  }

  std::string name_;
  Statement root_;
  std::vector<Statement*> open_{&root_};
  std::string word_;
  Words words_;
};

}  // namespace

std::vector<Statement> parse_keepalived(std::string_view text, const std::string& name) {
  return Parser(name).parse(text);
}

}  // namespace xdplb
