/* Keeps a specimen inert: turns "started anywhere but in the closed box" into an exit before main.
 *
 * The marker is a file that only the closed box makes in the root it builds. Linked as an object of its own, kept
 * apart from what is planted; no rule, model or engine knows it. Nothing switches it off. */
#include <unistd.h>

static const char marker[] = "/run/closed-box";
static const char refusal[] = "specimen: not in the closed box, refusing to run\n";

__attribute__((constructor(101))) static void refuse_outside_the_box(void) {
  if (access(marker, F_OK) != 0) {
    if (write(2, refusal, sizeof refusal - 1) < 0) _exit(98);
    _exit(97);
  }
}
