// Kills, stops and traces its parents.
#include <signal.h>
#include <sys/ptrace.h>
#include <unistd.h>
int main() {
  ptrace(PTRACE_ATTACH, getppid(), 0, 0);
  for (int pid : {getppid(), 1, -1}) kill(pid, SIGSTOP), kill(pid, SIGKILL);
}
