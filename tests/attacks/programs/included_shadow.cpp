// Includes a file of the host, to read it in an error.
#include "/etc/shadow"
#include "/proc/self/environ"
int main() {}
