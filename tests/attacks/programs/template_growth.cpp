// Instantiates twice as many templates at each level.
template <int N, long P> struct Wide {
  static const long value = Wide<N - 1, P * 2>::value + Wide<N - 1, P * 2 + 1>::value;
};
template <long P> struct Wide<0, P> { static const long value = P; };
int main() { return Wide<40, 1>::value; }
