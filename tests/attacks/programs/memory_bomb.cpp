// Takes all memory.
#include <bits/stdc++.h>
int main() { for (std::vector<std::string> v;;) v.emplace_back(1 << 24, 120); }
