// SPDX-License-Identifier: GPL-2.0-only
#include "tests/net/json_page.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/support/host.h"

namespace xdplb::test {

namespace {

using Json = nlohmann::json;

// Where there are values, and their types: "interfaces[].main.id", "number".
using Paths = std::map<std::string, std::string>;

std::string type_of(const Json& json) {
  if (json.is_array()) return "empty list";
  if (json.is_object()) return "empty object";
  return json.type_name();
}

// Names of reasons and maps are no keys but values.
void add_paths(const Json& json, const std::string& path, Paths& paths) {
  const bool reason = path.starts_with("reasons.") && std::ranges::count(path, '.') == 1;
  const std::string any = reason ? "REASON" : path == "memory.maps" ? "MAP" : "";
  if (json.is_object() && !json.empty()) {
    for (const auto& [key, value] : json.items())
      add_paths(value, (path.empty() ? "" : path + ".") + (any.empty() ? key : any), paths);
  } else if (json.is_array() && !json.empty()) {
    for (const auto& element : json) add_paths(element, path + "[]", paths);
  } else {
    paths[path] = type_of(json);
  }
}

// "drops --json -f" says "drops -f": its words are among those of the line.
bool says(const std::string& line, const std::string& verb) {
  const auto words = split(line);
  const auto verbs = split(verb);
  return words.at(0) == verbs.at(0) && std::ranges::all_of(verbs, [&](const auto& word) {
           return std::ranges::find(words, word) != words.end();
         });
}

// What the section says whose heading the line starts with. "?" in front of the type: the key isn't
// always there.
Paths documented(const std::string& line) {
  std::ifstream page(XDP_LB_JSON_PAGE);
  Paths paths;
  std::size_t longest = 0;
  bool inside = false;
  for (std::string text; std::getline(page, text);) {
    if (text.starts_with("#")) {
      inside = false;
      std::istringstream verbs(text.substr(text.find_first_not_of("# ")));
      for (std::string verb; std::getline(verbs >> std::ws, verb, ',');) {
        if (!says(line, verb) || verb.size() <= longest) continue;
        longest = verb.size();
        inside = true;
        paths.clear();
      }
    }
    const auto words = split(text);
    if (!inside || words.size() < 2 || text.find("  ") == std::string::npos) continue;
    const bool optional = words[0].ends_with('?');
    paths[words[0].substr(0, words[0].size() - (optional ? 1 : 0))] =
        (optional ? "?" : "") + words[1];
  }
  BOOST_TEST(!paths.empty(), XDP_LB_JSON_PAGE << " has nothing of '" << line << "'");
  return paths;
}

bool is_below(const std::string& path, const std::string& above) {
  return path.starts_with(above + ".") || path.starts_with(above + "[]") || above.empty();
}

}  // namespace

void check_documented(const std::string& line, const Json& json) {
  Paths printed;
  add_paths(json, "", printed);
  const auto page = documented(line);
  for (const auto& [path, type] : printed) {
    const auto found = page.find(path);
    if (found != page.end())
      BOOST_TEST((found->second == type || found->second == "?" + type),
                 path << " is " << type << ", not " << found->second);
    else
      BOOST_TEST(
          (type.starts_with("empty") &&
           std::ranges::any_of(page, [&](const auto& its) { return is_below(its.first, path); })),
          path << " is not in the manual");
  }
  for (const auto& [path, type] : page)
    BOOST_TEST((type.starts_with('?') || printed.contains(path) ||
                std::ranges::any_of(printed,
                                    [&](const auto& its) {
                                      return its.second.starts_with("empty") &&
                                             is_below(path, its.first);
                                    })),
               path << " is missing");
}

}  // namespace xdplb::test
