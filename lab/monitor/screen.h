/* The front panel: lines out, keys in. Keys come from /dev/keypad, or from standard input where there is none. */
#ifndef SCREEN_H
#define SCREEN_H
#include <stddef.h>

void screen_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The next key, or -1 when `timeout_ms` ran out or the panel is gone. */
int keypad_key(int timeout_ms);
/* Asks with `prompt` and reads a line into `out`, dropping what does not fit; 0 when nothing was typed. */
size_t keypad_line(const char *prompt, char *out, size_t size);

#endif
