// Reads and writes files of the host.
#include <bits/stdc++.h>
int main() {
  for (auto path : {"/etc/shadow", "/etc/passwd", "/proc/1/environ", "/headers/bits/stdc++.h"})
    std::cout << std::ifstream(path).rdbuf();
  std::ofstream("/program") << "x";
  std::ofstream("/usr/bin/sourcewise_attack") << "x";
}
