// Writes without end.
#include <cstdio>
int main() { for (;;) std::puts("x7Gq"); }
