// Never ends.
#include <bits/stdc++.h>
int main() { volatile long n = 0; for (;;) ++n; }
