"""The C++ in which plain values are written and read, for `cpp`; Python so that a change of it is seen."""

# Sizes are read one entry at a time, and every entry takes bytes: a size that lies ends with the text.
VALUES = r"""
namespace sourcewise {
struct BadValue {};
struct Reader {
  std::string text;
  std::size_t at = 0;
  bool done() const { return at >= text.size(); }
  char sign() {
    if (done()) throw BadValue{};
    return text[at++];
  }
  std::string token(char end) {
    const auto stop = text.find(end, at);
    if (stop == std::string::npos) throw BadValue{};
    const auto found = text.substr(at, stop - at);
    at = stop + 1;
    return found;
  }
  std::string bytes(std::size_t n) {
    if (n > text.size() - at) throw BadValue{};
    at += n;
    return text.substr(at - n, n);
  }
};
inline std::string all_of_input() {
  std::string text;
  char part[1 << 16];
  while (const std::size_t n = std::fread(part, 1, sizeof part, stdin)) text.append(part, n);
  return text;
}
template <class T> struct plain { using type = T; };
template <class A, class B> struct plain<std::pair<A, B>> {
  using type = std::pair<std::remove_const_t<A>, B>;
};
template <class T> struct is_pair : std::false_type {};
template <class A, class B> struct is_pair<std::pair<A, B>> : std::true_type {};

template <class T> void put(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    out += std::to_string(value.size()) + ":" + value;
  } else if constexpr (std::is_floating_point_v<T>) {
    char text[80];
    std::snprintf(text, sizeof text, "%La ", static_cast<long double>(value));
    out += text;
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    out += std::to_string(static_cast<long long>(value)) + " ";
  } else if constexpr (std::is_same_v<T, std::any>) {
    if (value.type() == typeid(int)) out += "i", put(out, std::any_cast<int>(value));
    else if (value.type() == typeid(double)) out += "d", put(out, std::any_cast<double>(value));
    else if (value.type() == typeid(std::string)) out += "s", put(out, std::any_cast<std::string>(value));
    else out += "?";
  } else if constexpr (is_pair<T>::value) {
    put<std::remove_const_t<typename T::first_type>>(out, value.first);
    put<typename T::second_type>(out, value.second);
  } else {
    out += std::to_string(std::distance(value.begin(), value.end())) + " ";
    for (const auto& entry : value) put<typename T::value_type>(out, entry);
  }
}
template <class T> T get(Reader& in) {
  if constexpr (std::is_same_v<T, std::string>) {
    return in.bytes(std::strtoull(in.token(':').c_str(), nullptr, 10));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(std::strtold(in.token(' ').c_str(), nullptr));
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    return static_cast<T>(std::strtoll(in.token(' ').c_str(), nullptr, 10));
  } else if constexpr (std::is_same_v<T, std::any>) {
    const char kind = in.sign();
    if (kind == 'i') return get<int>(in);
    if (kind == 'd') return get<double>(in);
    if (kind == 's') return get<std::string>(in);
    return T{};
  } else if constexpr (is_pair<T>::value) {
    auto first = get<typename T::first_type>(in);
    return T(std::move(first), get<typename T::second_type>(in));
  } else {
    T value{};
    for (auto n = std::strtoull(in.token(' ').c_str(), nullptr, 10); n > 0; --n)
      value.insert(value.end(), get<typename plain<typename T::value_type>::type>(in));
    return value;
  }
}
}  // namespace sourcewise
"""

# After the program, whose own words go nowhere. HEAD is the head of the declared function, NAME its name.
ANSWER = r"""
namespace sourcewise_declared { using namespace std; HEAD; }
namespace sourcewise {
template <class R, class... A> std::string answer(R (*)(A...), Reader& in) {
  std::tuple<std::decay_t<A>...> arguments{get<std::decay_t<A>>(in)...};
  std::string out = "V";
  const auto call = [](auto&... each) -> std::decay_t<R> { return ::NAME(each...); };
  put<std::decay_t<R>>(out, std::apply(call, arguments));
  return out;
}
}  // namespace sourcewise
#include <fcntl.h>
#include <unistd.h>
int main() {
  sourcewise::Reader in{sourcewise::all_of_input()};
  const auto results = dup(1), nothing = open("/dev/null", O_RDWR);
  dup2(nothing, 0), dup2(nothing, 1);
  while (!in.done() && in.sign() == 'C') {
    std::string out;
    try { out = sourcewise::answer(&sourcewise_declared::NAME, in); } catch (...) { out = "X"; }
    for (std::size_t at = 0; at < out.size();) {
      const auto n = write(results, out.data() + at, out.size() - at);
      if (n <= 0) _exit(1);
      at += n;
    }
  }
  _exit(0);
}
"""

# Before the test. Its input is R to record or C to check, then the values; its last line is the result.
REMOTE = r"""
namespace sourcewise {
struct Session {
  Reader in{all_of_input()};
  const bool recording = in.sign() == 'R';
  bool broken = false;
  std::string calls, checks;
  ~Session() { std::cout << "\nSOURCEWISE " << calls.size() << ' ' << calls << checks << std::flush; }
};
inline Session session;
template <class F> struct Remote;
template <class R, class... A> struct Remote<R(A...)> {
  R operator()(A... arguments) const {
    if (session.recording) {
      session.calls += "C";
      (put<std::decay_t<A>>(session.calls, arguments), ...);
      return R{};
    }
    try {
      const char kind = session.in.sign();
      if (kind == 'V') return get<std::decay_t<R>>(session.in);
      if (kind != 'X') throw BadValue{};
    } catch (const BadValue&) {
      session.in.at = session.in.text.size();
    }
    session.broken = true;
    return R{};
  }
};
template <class F> void check(F condition) {
  bool met = false;
  try { met = condition(); } catch (...) {}
  session.checks += met && !session.broken ? '1' : '0';
  session.broken = false;
}
}  // namespace sourcewise
"""
