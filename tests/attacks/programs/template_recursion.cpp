// Instantiates templates without end.
template <int N, class T> struct Deep { static const long value = Deep<N + 1, Deep<N, T>>::value; };
int main() { return Deep<0, int>::value; }
