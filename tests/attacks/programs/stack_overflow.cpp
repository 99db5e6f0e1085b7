// Recurses until the stack ends.
int g(int n) { volatile char room[4096]; room[0] = n; return g(n + 1) + room[0]; }
int main() { return g(0); }
