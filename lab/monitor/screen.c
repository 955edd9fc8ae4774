#include "screen.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

static int keypad = -1;

static int keypad_open(void) {
  if (keypad < 0) keypad = open("/dev/keypad", O_RDONLY);
  return keypad < 0 ? STDIN_FILENO : keypad;
}

void screen_line(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
}

int keypad_key(int timeout_ms) {
  int panel = keypad_open();
  fd_set waiting;
  struct timeval limit = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
  unsigned char key;
  FD_ZERO(&waiting);
  FD_SET(panel, &waiting);
  if (select(panel + 1, &waiting, NULL, NULL, &limit) <= 0) return -1;
  if (read(panel, &key, 1) == 1) return key;
  usleep(timeout_ms * 1000);
  return -1;
}

size_t keypad_line(const char *prompt, char *out, size_t size) {
  size_t used = 0;
  screen_line("%s", prompt);
  for (;;) {
    int key = keypad_key(30000);
    if (key < 0 || key == '\n' || key == '\r') break;
    if (used + 1 < size) out[used++] = (char)key;
  }
  out[used] = '\0';
  return used;
}
