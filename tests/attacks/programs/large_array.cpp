// Is compiled to two gigabytes.
int numbers[500000000] = {1};
int main() { return numbers[7]; }
