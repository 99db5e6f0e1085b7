// Asks the compiler for plugins, options and other files.
#pragma GCC dependency "/etc/shadow"
#pragma GCC optimize("-fplugin=/tmp/plugin.so")
#pragma GCC target("arch=nothing")
#pragma GCC poison main
int main() {}
