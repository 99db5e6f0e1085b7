// Has the compiler compute for minutes: many constants, each within what GCC allows for one.
template <int seed> constexpr long work() {
  long sum = seed;
  for (int i = 0; i < 20000; ++i)
    for (int j = 0; j < 50; ++j) sum += j;
  return sum;
}
template <int seed> constexpr long total() {
  constexpr long here = work<seed>();
  if constexpr (seed > 0) return here + total<seed - 1>();
  return here;
}
constexpr long value = total<400>();
int main() { return value & 1; }
