// Has the compiler compute for ever.
constexpr long work(int depth) {
  long sum = 0;
  for (int i = 0; i < 200000; ++i) sum += depth ? work(depth - 1) : i;
  return sum;
}
constexpr long value = work(9);
int main() { return value; }
