// Includes the compiler's own input, and itself.
#include "/dev/stdin"
#include __FILE__
int main() {}
