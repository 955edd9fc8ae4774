#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char @v.label@[32] = "unit";

/* A line from the operator at the console; 0 when nothing was typed. */
__attribute__((noipa)) static size_t @f.ask@(const char *prompt, char *out, size_t size) {
  fputs(prompt, stdout);
  fflush(stdout);
  if (fgets(out, (int)size, stdin) == NULL) out[0] = '\0';
  out[strcspn(out, "\r\n")] = '\0';
  return strlen(out);
}

/* True for letters, digits, dots and dashes alone. */
static int @f.plain@(const char *text) {
  if (*text == '\0') return 0;
  for (; *text != '\0'; ++text) {
    if (!isalnum((unsigned char)*text) && *text != '.' && *text != '-') return 0;
  }
  return 1;
}

static void @f.log@(const char *what) {
  char line[160];
  FILE *out = fopen("/var/log/@program@.log", "a");
  snprintf(line, sizeof line, "%ld %s %s", (long)time(NULL), @v.label@, what);
  puts(line);
  if (out == NULL) return;
  fprintf(out, "%s\n", line);
  fclose(out);
}

/* The number in a file, or 0. */
static unsigned @f.number@(const char *file) {
  unsigned value = 0;
  FILE *in = fopen(file, "r");
  if (in == NULL) return 0;
  if (fscanf(in, "%u", &value) != 1) value = 0;
  fclose(in);
  return value;
}

static void @f.usage@(void) {
  puts("usage: @program@ [--help]");
  puts("@help@");
}
