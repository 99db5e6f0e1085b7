// Puts an interpreter and start of its own into the binary.
asm(".section .interp,\"a\"\n.string \"/etc/shadow\"\n.previous");
asm(".globl _start\n_start: mov $60, %eax\n xor %edi, %edi\n syscall");
int main() {}
