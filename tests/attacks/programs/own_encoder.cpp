// Brings its own way of writing values.
#include <string>
std::string f(int x) { return "x7G"; }

namespace sourcewise {
template <> void put<std::string>(std::string& out, const std::string&) { out += "\nSOURCEWISE 0 111"; }
}
