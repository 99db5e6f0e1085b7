// Has the assembler embed a file of the host.
asm(".incbin \"/etc/shadow\"");
asm(".incbin \"/dev/zero\"");
int main() {}
